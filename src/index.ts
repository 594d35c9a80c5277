export { PostgresCheckpointStore, type ResumeConfig } from "./checkpoint-store.ts";
export * from "./errors.ts";
export { CoalescingSaver } from "./langgraph/coalescing-saver.ts";
export { PostgresSaver } from "./langgraph/saver.ts";
export type { OnOperation, OperationEvent, OperationMetrics } from "./metrics/operations.ts";
export type { PoolStats, StoreMetrics } from "./metrics/store-metrics.ts";
export type {
  AdoptSettings,
  Duration,
  EncryptionKey,
  EncryptionOptions,
  StorageSettings,
  TtlSettings,
} from "./options.ts";
export {
  createPool,
  type DbClient,
  type DbPool,
  type DbQuery,
  type DbResult,
  embedded,
  type PoolOptions,
} from "./postgres/index.ts";
export type { ListRecordsOptions, RecordOrder, RecordPage } from "./records/list-options.ts";
export type { CheckpointRecord, Moment, NewRecord, SaveOptions } from "./records/record.ts";
export type { InNamespace, InThread } from "./records/records.ts";
export type { StoreTransaction, TransactionOptions } from "./records/transaction.ts";
export type { CleanupOptions, CleanupReport } from "./retention/expiry.ts";
export type { Freed } from "./retention/freed.ts";
export type { PruneOptions, PruneProgress, PruneReport } from "./retention/prune-options.ts";
export type { SweeperOptions } from "./retention/sweeper.ts";
export type { MigrateOptions, MigrateResult, MigrationStep } from "./schema/migrator.ts";
export type { CheckpointerOptions, ConnectOptions, StoreOptions } from "./store-options.ts";
export type { CopiedThread } from "./threads/copy-thread.ts";
export type { Deduplication } from "./threads/deduplication.ts";
export type { DeleteOptions, DeleteReport } from "./threads/delete-threads.ts";
export type { Lease, LeaseOptions } from "./threads/lease.ts";
export type { ListThreadsOptions, ThreadInfo, ThreadPage } from "./threads/list-threads.ts";
export type {
  ReencryptOptions,
  ReencryptProgress,
  ReencryptReport,
} from "./threads/reencrypt.ts";
export type { IndexStats, StoreStats, TableStats } from "./threads/stats.ts";
export type { Suggestion } from "./threads/suggestions.ts";
export type { CopyFromOptions, CopyFromReport } from "./transfer/copy-from.ts";
export type { ExportOptions, ExportReport } from "./transfer/export-threads.ts";
export type { ImportOptions, ImportReport, RefusedThread } from "./transfer/import-official.ts";
export type { ImportThreadsOptions, ImportThreadsReport } from "./transfer/import-threads.ts";
export type { TransferOptions, TransferProgress } from "./transfer/progress.ts";
