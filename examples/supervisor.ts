/**
 * A supervisor with two workers. It stops in the middle, where one of them asks a human; any process
 * goes on by the thread's id, or from a given checkpoint.
 */
import { tool } from "@langchain/core/tools";
import { Command, interrupt } from "@langchain/langgraph";
import { createReactAgent } from "@langchain/langgraph/prebuilt";
import { createSupervisor } from "@langchain/langgraph-supervisor";
import { PostgresCheckpointStore } from "langgraph-postgres";
import { database } from "./database.ts";
import { scripted } from "./scripted.ts";

await using store = await PostgresCheckpointStore.connect(database());

const findFlight = tool(() => "BA 117 at 09:40, 412 €", { name: "find_flight", description: "" });
const book = tool(() => (interrupt("Book it for 412 €?") === "yes" ? "booked" : "not booked"), {
  name: "book",
  description: "",
});

const researcher = createReactAgent({
  name: "researcher",
  tools: [findFlight],
  llm: scripted({ use: "find_flight" }, "There is BA 117 at 09:40."),
});
const booker = createReactAgent({
  name: "booker",
  tools: [book],
  llm: scripted({ use: "book" }, "It is booked.", "I did not book it."),
});
const graph = createSupervisor({
  agents: [researcher, booker],
  llm: scripted(
    { use: "transfer_to_researcher" },
    { use: "transfer_to_booker" },
    "You fly at 09:40.",
    "Then you stay at home.",
  ),
}).compile({ checkpointer: store.checkpointer });

// The run stops at the question. The thread waits in the database, and no process with it.
await graph.invoke({ messages: ["A flight to New York, please."] }, store.resumeConfig("trip-1"));
const waiting = await graph.getState(store.resumeConfig("trip-1"), { subgraphs: true });
console.log("asks:", waiting.tasks[0]?.interrupts[0]?.value);

// Each worker keeps its own checkpoints, in a namespace of its name and its task.
const { checkpoints } = await store.listWithOptions({ threadId: "trip-1" });
const namespaces = new Set(checkpoints.map(({ namespace }) => namespace.split(":")[0]));
console.log("namespaces:", [...namespaces].sort().join(", "));

// By the thread's id: the human says yes.
const done = await graph.invoke(new Command({ resume: "yes" }), store.resumeConfig("trip-1"));
console.log(done.messages.at(-1)?.text);

// From the checkpoint that asked: what if the human had said no? A branch of its own.
const asked: string = waiting.config.configurable?.checkpoint_id;
const other = await graph.invoke(
  new Command({ resume: "no" }),
  store.resumeConfig("trip-1", asked),
);
console.log(other.messages.at(-1)?.text);
