/** How a command ended, for scripts. Documented in docs/operations.md; never renumbered. */
export const EXIT = {
  ok: 0,
  /** Anything not below. */
  failed: 1,
  /** The command line, an option or an id makes no sense; nothing was done. */
  usage: 2,
  /** There is no such thread or checkpoint. */
  notFound: 3,
  /** `doctor` found something that is wrong; `status` found migrations to be done. */
  attention: 4,
  /** Nothing was confirmed: the answer was no, or there is no terminal and no `--yes`. */
  notConfirmed: 5,
  /** The server could not be reached, or refused the login. */
  unreachable: 6,
  /** Ctrl-C: ended at a clean point. */
  interrupted: 130,
} as const;

const BY_CODE: Readonly<Record<string, number>> = {
  INVALID_OPTION: EXIT.usage,
  INVALID_CONFIG: EXIT.usage,
  CHECKPOINT_NOT_FOUND: EXIT.notFound,
  CONNECTION_FAILED: EXIT.unreachable,
  POOL_TIMEOUT: EXIT.unreachable,
};

/** The exit code for one of the package's error codes. */
export function exitCodeOf(code: string | undefined): number {
  return BY_CODE[code ?? ""] ?? EXIT.failed;
}
