// Store the files of the playground in the browser's cache, so that the page works without a network. The build inserts the names.
const CACHE = "playground VERSION";
const FILES = [];

addEventListener("install", (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(FILES)).then(() => self.skipWaiting()));
});

addEventListener("activate", (event) => {
  event.waitUntil(dropOlder().then(() => self.clients.claim()));
});

async function dropOlder() {
  for (const name of await caches.keys()) {
    if (name.startsWith("playground ") && name !== CACHE) await caches.delete(name);
  }
}

// All files in the cache belong to one version. A file in the cache is used even if the network has a newer version.
addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  const here = new URL("./", self.location).href;
  const name = url.href.startsWith(here) ? url.href.slice(here.length).split(/[?#]/)[0] : "";
  if (event.request.method !== "GET" || !FILES.includes(name)) return;
  event.respondWith(fromCache(event.request, here + name));
});

async function fromCache(request, address) {
  const cache = await caches.open(CACHE);
  return (await cache.match(address)) ?? fetch(request);
}
