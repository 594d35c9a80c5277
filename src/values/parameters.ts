/**
 * Every number that shapes the chunk tree, in one place. Sizes are UTF-16 code units of JSON text
 * (about bytes), so that they are the same on every machine. Changing one changes the chunks of
 * values written from then on; what is stored already stays readable, because readers never cut.
 */
export const TREE = {
  /** A value whose JSON is no longer than this sits in its row and has no tree. */
  inlineLimit: 1024,
  /** An element or entry at least this long is a leaf of its own. Smaller neighbours share one. */
  ownLeaf: 256,
  /** A shared leaf is not closed before it is this long, */
  minSharedLeaf: 256,
  /** is closed after each further unit with a chance of one in this many, */
  meanSharedLeaf: 768,
  /** and always at this length. */
  maxSharedLeaf: 4096,
  /**
   * A plain array inside the value is a container chunk when its JSON is longer. Low, because lists
   * are what grows, and because a graph's input `{ messages: […] }` must share its leaves with the
   * channel that the messages end up in.
   */
  listLimit: 1024,
  /** The same for a plain object: as an element of a list, a record is best kept in one piece. */
  objectLimit: 4096,
  /** A text that is longer than this is cut into slices: as a value, an entry or an element, however deep. */
  textLimit: 16_384,
  /** A slice of a text is not closed before it is this long, */
  minSlice: 1024,
  /** is closed after each further unit with a chance of one in this many (a power of two), */
  meanSlice: 2048,
  /** and always at this length. */
  maxSlice: 8192,
  /** Containers inside containers, at most. Deeper ones stay whole inside a leaf. */
  maxContainerDepth: 8,
  /** The most chunk ids that a value's row or a container holds without index nodes. */
  maxRootIds: 16,
  /** An index node is not closed before it has this many children, */
  minFanout: 8,
  /** is closed after each further child with a chance of one in this many (a power of two, at most 16), */
  meanFanout: 8,
  /** and always at this many. */
  maxFanout: 24,
} as const;

/**
 * Values nested deeper than this are refused, because writing them or reading them back could overflow the stack: code
 * that is not compiled yet has room for some 1,500 levels.
 */
export const MAX_DEPTH = 1000;

export const MEMO = {
  /**
   * Texts of at least `TREE.ownLeaf` are remembered together with their chunk, and so are long texts. Of each kind
   * this many characters are remembered for certain, and at most twice as many.
   */
  textGeneration: 8_388_608,
} as const;
