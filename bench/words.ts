/** Text of random words from a seed: the same for every saver and every round, and no filler that compresses away. */

/** A number in [0, 1), the next one of a fixed sequence. */
export type Random = () => number;

/** Mulberry32. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const VOCABULARY = 20_000;
const LETTERS = "etaoinshrdlucmfwypvbgkjqxz";

const vocabulary = makeVocabulary(seeded(1));

/** `bytes` bytes of words between spaces (ASCII, so characters are bytes). */
export function text(bytes: number, random: Random): string {
  let words = "";
  while (words.length < bytes) words += `${vocabulary[Math.floor(random() * VOCABULARY)]} `;
  return words.slice(0, bytes);
}

function makeVocabulary(random: Random): readonly string[] {
  return Array.from({ length: VOCABULARY }, () =>
    Array.from(
      { length: 2 + Math.floor(random() * 9) },
      // Squared: the first letters come more often, as in a language.
      () => LETTERS[Math.floor(random() ** 2 * LETTERS.length)],
    ).join(""),
  );
}
