// What a page costs and says behind its back: every request, every byte over the wire, every complaint of the browser.

/** Watches a page from now on; `since()` gives what happened after the last call. */
export async function watch(page, address) {
  const session = await page.context().newCDPSession(page);
  await session.send("Network.enable");
  // Each page is weighed as on a first visit.
  await session.send("Network.setCacheDisabled", { cacheDisabled: true });
  let seen = nothing();
  session.on("Network.loadingFinished", ({ encodedDataLength }) => {
    seen.bytes += encodedDataLength;
  });
  page.on("request", (request) => {
    if (new URL(request.url()).origin !== address) seen.strange.push(request.url());
  });
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) seen.complaints.push(`${message.text()} (${message.location().url})`);
  });
  page.on("pageerror", (error) => seen.complaints.push(String(error)));
  return {
    since() {
      const before = seen;
      seen = nothing();
      return before;
    },
  };
}

function nothing() {
  return { bytes: 0, strange: [], complaints: [] };
}
