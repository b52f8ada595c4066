// Python in a web worker. If a program never ends, it blocks only this thread, and the page can end the worker.
const base = new URL("./", import.meta.url);
const FOLDER = "/home/pyodide";
let received = 0;

const tell = (message) => postMessage(message);

// Count the received bytes of every download, to show the progress.
const plainFetch = self.fetch;
self.fetch = async (...asked) => {
  const response = await plainFetch(...asked);
  if (!response.ok || !response.body) return response;
  const counter = new TransformStream({
    transform(chunk, controller) {
      received += chunk.byteLength;
      tell({ type: "received", bytes: received });
      controller.enqueue(chunk);
    },
  });
  return new Response(response.body.pipeThrough(counter), response);
};

async function load() {
  tell({ type: "loading", what: "Fetching Python" });
  const { loadPyodide } = await import("./pyodide/pyodide.mjs");
  const zip = self.fetch(new URL("packages.zip", base)).then((response) => {
    if (!response.ok) throw new Error(`packages.zip: ${response.status}`);
    return response.arrayBuffer();
  });
  const python = await loadPyodide({ indexURL: new URL("pyodide/", base).href });
  tell({ type: "loading", what: "Starting Flask and wsgi_core" });
  const site = python.runPython("import site; site.getsitepackages()[0]");
  python.unpackArchive(await zip, "zip", { extractDir: site });
  python.runPython("import browser; browser.prepare(); import runner");
  return python;
}

const ready = load();
ready.then(
  () => tell({ type: "ready" }),
  (error) => tell({ type: "failed", message: String(error.message ?? error) }),
);

addEventListener("message", async ({ data }) => {
  const python = await ready;
  const call = python.globals.get("__import__")("runner")[data.call];
  try {
    tell({ type: "result", id: data.id, report: JSON.parse(call(...data.values, FOLDER)) });
  } catch (error) {
    tell({ type: "result", id: data.id, report: { state: "error", failures: [{ where: "playground", message: String(error.message) }] } });
  }
});
