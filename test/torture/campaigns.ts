/** All of them, in the order in which `npm run torture` runs them. */
import type { Campaign } from "./campaign.ts";
import { clientDies } from "./client-dies.ts";
import { connectionsDie } from "./connections-die.ts";
import { failover } from "./failover.ts";
import { graphs } from "./graphs.ts";
import { importKilled } from "./import-killed.ts";
import { large } from "./large.ts";
import { diskFull, limits } from "./limits.ts";
import { million } from "./million.ts";
import { model } from "./model.ts";
import { poolerDies } from "./pooler-dies.ts";
import { pruneLoad } from "./prune-load.ts";
import { rekey } from "./rekey.ts";
import { saver } from "./saver.ts";
import { serializer } from "./serializer.ts";
import { serverDies } from "./server-dies.ts";
import { sweep } from "./sweep.ts";

export const CAMPAIGNS: readonly Campaign[] = [
  clientDies,
  serverDies,
  connectionsDie,
  failover,
  poolerDies,
  limits,
  diskFull,
  model,
  saver,
  graphs,
  large,
  pruneLoad,
  importKilled,
  million,
  sweep,
  rekey,
  serializer,
];
