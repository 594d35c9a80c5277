/** Random words: content that does not compress and does not repeat. */
export function createWords(seed: number): (length: number) => string {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  return (length) => {
    let text = "";
    while (text.length < length) text += `${next().toString(36)} `;
    return text.slice(0, length);
  };
}
