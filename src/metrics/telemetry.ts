/** Where operations are told of besides the store's own metrics. */
export interface Telemetry {
  /** Runs the work in a span that is the current one meanwhile. */
  span<T>(operation: string, threadId: string | undefined, work: () => Promise<T>): Promise<T>;
  record(operation: string, durationMs: number, errorCode: string | undefined): void;
  /** Lets go of what would be asked from outside. */
  end(): void;
}

/** Does nothing. */
export const SILENT: Telemetry = {
  span: (_operation, _threadId, work) => work(),
  record() {},
  end() {},
};
