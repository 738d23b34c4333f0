// The jobs of Job.cs with the npm package: node npm-worker.mjs HOME JOB. Prints an outcome as JSON.
const started = performance.now();
import { createReadStream, closeSync, fdatasyncSync, openSync, readFileSync, readdirSync, statSync } from "node:fs";
import { createInterface } from "node:readline";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [home, text] = process.argv.slice(2);
const { Store } = await import(pathToFileURL(join(home, "node_modules/@backloghq/opslog/dist/index.js")));
const job = JSON.parse(text);
const Kinds = ["Put", "Fill", "Get", "Scan", "Open", "Killed", "Churn", "Update", "Refresh", "Merge", "Checkpoint"];
const Promises = ["Disk", "Os", "Buffered"];
const [kind, promise] = [Kinds[job.Kind], Promises[job.Promise]];
const Above = 3;
const Never = 1e9;

const id = (n) => job.LongIds ? "tenants/0042/tasks/" + n.toString(16).padStart(8, "0") : "task-" + n.toString(16).padStart(6, "0");
const seconds = (since) => (performance.now() - since) / 1000;
const print = (Figure, More = {}) => console.log(JSON.stringify({ Figure, More }));

// The documents as they are at first, and changed.
async function documents(count = job.Records) {
  const all = [[], []];
  let line = 0;
  for await (const json of createInterface({ input: createReadStream(job.Documents) })) {
    if (line >= 2 * count) break;
    all[line++ % 2].push(JSON.parse(json));
  }
  return all;
}

async function open(options = {}) {
  const store = new Store();
  await store.open(job.Folder, { checkpointThreshold: Never, checkpointOnClose: false, ...options });
  return store;
}

async function fill(store, items) {
  for (let first = 0; first < items.length; first += 1000)
    await store.batch(() => { for (let i = first; i < Math.min(items.length, first + 1000); i++) store.set(id(i), items[i]); });
}

async function put() {
  const [fresh, changed] = await documents();
  const store = await open({ writeMode: promise === "Buffered" ? "async" : "immediate" });
  if (job.Update) await fill(store, fresh);
  const items = job.Update ? changed : fresh;
  // The package never syncs: to keep the promise its user has to.
  const log = promise === "Disk" ? openSync(join(job.Folder, store.getManifest().activeOps), "r+") : 0;
  const start = performance.now();
  let done = 0;
  if (job.Batch > 1) {
    for (; done + job.Batch <= items.length && seconds(start) <= job.Seconds; done += job.Batch) {
      const first = done;
      await store.batch(() => { for (let i = first; i < first + job.Batch; i++) store.set(id(i), items[i]); });
    }
  } else {
    const caller = async (first) => {
      for (let i = first; i < items.length && seconds(start) <= job.Seconds; i += job.Callers) {
        await store.set(id(i), items[i]);
        if (log) fdatasyncSync(log);
        done++;
      }
    };
    await Promise.all(Array.from({ length: job.Callers }, (_, i) => caller(i)));
  }
  const rate = done / seconds(start);
  if (log) closeSync(log);
  await store.close();
  print(rate);
}

async function makeStore() {
  const [fresh] = await documents();
  const start = performance.now();
  for (const agentId of job.Callers === 2 ? ["a", "b"] : [undefined]) {
    const store = await open({ agentId });
    await fill(store, fresh);
    if (!agentId && !job.Update) await store.compact();
    await store.close();
  }
  print(job.Records / seconds(start));
}

async function gets() {
  const store = await open({ readOnly: true });
  const order = Array.from({ length: Math.min(job.Records, 200000) }, () => id(Math.floor(Math.random() * job.Records)));
  let sum = 0, done = 0;
  for (const key of order) sum += store.get(key).priority;
  const start = performance.now();
  do { for (const key of order) sum += store.get(key).priority; done += order.length; } while (seconds(start) < job.Seconds);
  print(sum > 0 ? seconds(start) * 1e9 / done : NaN);
}

async function scan() {
  const store = await open({ readOnly: true });
  store.count((item) => item.priority > Above);
  let done = 0;
  const start = performance.now();
  do { store.count((item) => item.priority > Above); done += job.Records; } while (seconds(start) < job.Seconds);
  print(done / seconds(start));
}

function memory() {
  const status = readFileSync("/proc/self/status", "utf8");
  const mebibytes = (name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)[1]) / 1024;
  return { "memory, MiB": mebibytes("VmRSS"), "private, MiB": mebibytes("RssAnon"), peak: mebibytes("VmHWM") };
}

async function timeToOpen() {
  const store = await open({ readOnly: true });
  if (!store.get(id(0)) || !store.get(id(job.Records - 1))) throw new Error("records are missing");
  const figure = performance.now() - started;
  let lost = 0;
  for (let i = 0; i < job.Records; i++) if (!store.has(id(i))) lost++;
  const { peak, ...now } = memory();
  print(figure, { lost, ...now });
}

async function killed() {
  const [fresh] = await documents();
  const store = await open();
  for (let i = 0; i < fresh.length; i++) await store.set(id(i), fresh[i]);
  process.stdout.write(JSON.stringify({ Figure: job.Records, More: {} }) + "\n", () => process.kill(process.pid, "SIGKILL"));
  await new Promise(() => {});
}

const size = (folder) => readdirSync(folder, { recursive: true }).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
const written = () => Number(/^wchar: (\d+)/m.exec(readFileSync("/proc/self/io", "utf8"))[1]);

async function churn() {
  const documentsNow = await documents();
  const before = written();
  const store = new Store();
  await store.open(job.Folder);
  let logical = 0, sets = 0;
  const start = performance.now();
  for (; sets < job.Records * 10 && seconds(start) < job.Seconds; sets++) {
    const item = documentsNow[Math.floor(sets / job.Records) % 2][sets % job.Records];
    logical += JSON.stringify(item).length;
    await store.set(id(sets % job.Records), item);
  }
  const live = logical / sets * Math.min(sets, job.Records);
  await store.close();
  print((written() - before) / logical, { "folder / live": size(job.Folder) / live, sets, "peak memory, MiB": memory().peak });
}

async function update() {
  const [, changed] = await documents();
  const store = new Store();
  await store.open(job.Folder);
  const start = performance.now();
  let done = 0;
  for (; done < 1000 && seconds(start) < job.Seconds; done++) {
    const n = Math.floor(Math.random() * job.Records);
    await store.set(id(n), changed[n]);
  }
  const rate = done / seconds(start);
  await store.close();
  print(rate);
}

async function refresh() {
  const [, changed] = await documents();
  const writer = await open({ agentId: "writer" });
  const reader = await open({ agentId: "reader" });
  const times = [];
  for (let time = 0; time < 3; time++) {
    for (let i = 0; i < 100; i++) await writer.set(id(i), changed[i]);
    const start = performance.now();
    await reader.refresh();
    times.push(seconds(start) * 1e6);
  }
  const start = performance.now();
  await reader.refresh();
  const nothing = seconds(start) * 1e6;
  await writer.close();
  await reader.close();
  print(times.sort((a, b) => a - b)[1], { "nothing new, µs": nothing });
}

async function merge() {
  const start = performance.now();
  const store = await open({ agentId: "reader" });
  const rate = 2 * job.Records / seconds(start);
  if (store.count() !== job.Records) throw new Error("records are missing");
  await store.close();
  print(rate);
}

async function checkpoint() {
  const store = await open();
  const start = performance.now();
  await store.compact();
  const figure = seconds(start) * 1000;
  await store.close();
  print(figure);
}

const jobs = { Put: put, Fill: makeStore, Get: gets, Scan: scan, Open: timeToOpen, Killed: killed, Churn: churn, Update: update, Refresh: refresh, Merge: merge, Checkpoint: checkpoint };
await jobs[kind]();
process.exit(0);
