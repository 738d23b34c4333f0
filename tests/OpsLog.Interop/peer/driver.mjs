// Runs a JSON program against a store directory with the npm package, and prints what the package shows as one JSON line.
// Usage: node driver.mjs FILE, where FILE holds {"dir", "open": {...}, "steps": [...]}. Records are printed as [id, value] pairs,
// because an object would reorder ids such as "10".
import { readFile } from "node:fs/promises";
import { join } from "node:path";

const program = JSON.parse(await readFile(process.argv[2], "utf8"));
const warnings = [];
console.error = (...parts) => warnings.push(parts.join(" "));

// The package names files after the millisecond, and overwrites what was named in the same one.
const tick = () => new Promise((resolve) => setTimeout(resolve, 3));

async function archivesOf(store, dir) {
  const archives = [];
  for (const path of store.listArchiveSegments()) {
    const { period } = JSON.parse(await readFile(join(dir, path), "utf8"));
    const name = path.slice("archive/archive-".length, -".json".length);
    archives.push([period, [...(await store.loadArchive(name)).entries()]]);
  }
  return archives;
}

function write(store, step) {
  if (step.op === "set") return store.set(step.id, step.data);
  return store.has(step.id) ? store.delete(step.id) : undefined;
}

async function run(store, step) {
  switch (step.op) {
    case "batch":
      return store.batch(() => step.ops.forEach((op) => write(store, op)));
    case "undo":
      return store.undo();
    case "compact":
      await tick();
      await store.compact();
      return tick();
    case "archive":
      await tick();
      await store.archive((_, id) => step.ids.includes(id), step.segment);
      return tick();
    default:
      return write(store, step);
  }
}

async function peer() {
  const { Store } = await import("@backloghq/opslog");
  const store = new Store();
  await store.open(program.dir, program.open);
  for (const step of program.steps) await run(store, step);
  const result = { state: store.entries(), archives: await archivesOf(store, program.dir) };
  await tick();
  await store.close();
  return result;
}

// How 0.3.0 reads a single-writer store: the whole snapshot is one JSON object. 0.3.0 itself is not to be had.
async function oldReader() {
  const manifest = JSON.parse(await readFile(join(program.dir, "manifest.json"), "utf8"));
  const text = await readFile(join(program.dir, manifest.currentSnapshot), "utf8");
  const snapshot = JSON.parse(text);
  for (const [member, type] of [["version", "number"], ["timestamp", "string"], ["records", "object"]])
    if (typeof snapshot[member] !== type || snapshot[member] === null) throw new Error(`Invalid snapshot: ${member}`);
  const records = new Map(Object.entries(snapshot.records));
  for (const line of (await readFile(join(program.dir, manifest.activeOps), "utf8")).trim().split("\n").filter(Boolean)) {
    const op = JSON.parse(line);
    if (typeof op.ts !== "string" || typeof op.id !== "string" || op.id === "" || !("prev" in op)) throw new Error(`Invalid operation: ${line}`);
    if (op.op === "set") records.set(op.id, op.data);
    else if (op.op === "delete" && op.prev !== null && !("data" in op)) records.delete(op.id);
    else throw new Error(`Invalid operation: ${line}`);
  }
  return { state: [...records.entries()], archives: [], isPretty: text.startsWith("{\n  \"") };
}

const report = program.reader === "0.3.0" ? await oldReader() : await peer();
process.stdout.write(JSON.stringify({ ...report, warnings }) + "\n");
