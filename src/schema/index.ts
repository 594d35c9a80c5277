export { compareManifest } from "./compare-manifest.ts";
export { readManifest } from "./manifest.ts";
export {
  type MigrateResult,
  migrate,
  migrateTo,
} from "./migrator.ts";
export { dropMetadataIndex, ensureMetadataIndex } from "./optional-index.ts";
export { explainMissingTables } from "./refusals.ts";
export {
  getSchemaVersion,
  pendingMigrations,
  planMigration,
  requireSchema,
} from "./schema-version.ts";
