/* Recoup's tracker: no dependency, no cookie, one script tag. See docs/tracker.md.

   <script>window.recoup=window.recoup||function(){(recoup.q=recoup.q||[]).push(arguments)}</script>
   <script async src="https://recoup.example/recoup.js" data-key="WRITE_KEY"></script>            */
(function (w, d) {
  "use strict";
  var tag = d.currentScript;
  if (!tag || (w.recoup && w.recoup.ready)) return;

  var MOST_QUEUED = 200, MOST_AT_ONCE = 40, MOST_BYTES = 55000, MOST_ERRORS = 10;
  var EVERY_MS = 2000, LONGEST_WAIT_MS = 60000, IDLE_MS = 30 * 60000;
  var SESSION = "recoup.session", QUEUE = "recoup.queue", CONSENT = "recoup.consent";

  var option = function (name, otherwise) {
    var value = tag.getAttribute("data-" + name);
    return value === null ? otherwise : value;
  };
  var home = option("url", new URL(tag.src, w.location.href).origin);
  var address = home + "/v1/collect?key=" + encodeURIComponent(option("key", ""));

  var queue = [], underWay = [], user = "", dims = {}, errors = 0, failures = 0;
  var timer = 0, memory = {};

  /* What is kept in the browser: only with consent, and gone when the browser forbids it. */
  function kept(name, value) {
    try {
      var store = w.localStorage;
      if (value === undefined) return store.getItem(name);
      if (value === null) store.removeItem(name);
      else store.setItem(name, value);
    } catch (e) { /* no storage: what is in memory has to do */ }
    return null;
  }

  /* Held back until somebody decides, where consent is required; a decision is remembered. */
  var choice = kept(CONSENT), denied = choice === "no";
  var consent = choice === "yes" || (!denied && option("consent", "granted") !== "required");

  function identifier() {
    if (w.crypto && w.crypto.randomUUID) return w.crypto.randomUUID();
    var bytes = w.crypto.getRandomValues(new Uint8Array(16)), text = "";
    for (var i = 0; i < 16; i++) text += (bytes[i] + 256).toString(16).slice(1);
    return text;
  }

  /* One session lasts until half an hour of silence, over all tabs; its campaign is its first. */
  function session() {
    var now = Date.now(), found = memory;
    if (consent) {
      try { found = JSON.parse(kept(SESSION)) || memory; } catch (e) { /* damaged: a new one */ }
    }
    if (!found.id || now - found.at > IDLE_MS) found = { id: identifier(), campaign: "" };
    var campaign = new URLSearchParams(w.location.search).get("utm_campaign");
    if (campaign) found.campaign = campaign.slice(0, 200);
    found.at = now;
    memory = found;
    if (consent) kept(SESSION, JSON.stringify(found));
    return found;
  }

  function track(type, props) {
    if (denied || !type) return;
    var visit = session(), said = {}, name;
    if (visit.campaign) said.campaign = visit.campaign;
    if (option("release", "")) said.release = option("release");
    if (option("country", "")) said.country = option("country");
    for (name in dims) said[name] = String(dims[name]).slice(0, 200);
    var event = {
      id: identifier(), type: String(type), time: new Date().toISOString(),
      session: visit.id, dims: said,
      props: JSON.parse(JSON.stringify(props || {})) /* as it is now; what is no JSON is refused */
    };
    if (user) event.user = user;
    queue.push(event);
    if (queue.length > MOST_QUEUED) queue.splice(0, queue.length - MOST_QUEUED);
    if (queue.length >= MOST_AT_ONCE) flush(); else later(EVERY_MS);
  }

  function later(ms) {
    if (!timer) timer = w.setTimeout(function () { timer = 0; flush(); }, ms);
  }

  /* Takes from the queue what a keep-alive request may carry. */
  function packed() {
    var count = Math.min(queue.length, MOST_AT_ONCE), body = "";
    while (count) {
      body = JSON.stringify({ sent: new Date().toISOString(), events: queue.slice(0, count) });
      if (body.length <= MOST_BYTES) break;
      if (count === 1) queue.shift(); /* too large to be sent at all */
      count = Math.min(Math.max(count >> 1, 1), queue.length);
    }
    return { body: body, events: queue.splice(0, count) };
  }

  function flush() {
    if (underWay.length || !consent || !queue.length) return;
    if (w.navigator.onLine === false) { save(); return; }
    var batch = packed();
    if (!batch.events.length) return;
    underWay = batch.events;
    w.fetch.call(w, address, {
      method: "POST", body: batch.body, keepalive: true, credentials: "omit", mode: "cors",
      headers: { "Content-Type": "text/plain" } /* a simple request: no preflight */
    }).then(function (answer) {
      /* What is refused will be refused again; what is too much now may be taken later. */
      done(answer.ok || (answer.status < 500 && answer.status !== 429));
    }, function () { done(false); });
  }

  function done(isTaken) {
    failures = isTaken ? 0 : Math.min(failures + 1, 5);
    if (!isTaken) queue = underWay.concat(queue).slice(-MOST_QUEUED);
    underWay = [];
    save();
    if (queue.length) later(failures && Math.min(EVERY_MS << failures, LONGEST_WAIT_MS));
  }

  /* The page goes: what was not sent goes by beacon, or waits here for the next page. */
  function leave() {
    while (consent && queue.length && w.navigator.onLine !== false && w.navigator.sendBeacon) {
      var batch = packed();
      if (!batch.events.length) break;
      if (!w.navigator.sendBeacon(address, batch.body)) {
        queue = batch.events.concat(queue);
        break;
      }
    }
    save();
  }

  function save() {
    var all = underWay.concat(queue); /* twice sent counts once, by its id */
    if (consent) kept(QUEUE, all.length ? JSON.stringify(all) : null);
  }

  function restore() {
    try {
      var before = JSON.parse(kept(QUEUE)) || [];
      if (before.length) queue = before.concat(queue).slice(-MOST_QUEUED);
    } catch (e) { /* damaged: it is gone */ }
    kept(QUEUE, null);
  }

  function decide(isGranted) {
    denied = !isGranted;
    consent = isGranted;
    kept(CONSENT, isGranted ? "yes" : "no");
    if (isGranted) { restore(); flush(); return; }
    queue = [];
    memory = {};
    user = "";
    kept(SESSION, null);
    kept(QUEUE, null);
  }

  function pageViewed() {
    track("page_viewed", { path: w.location.pathname });
  }

  function failed(message, file, line) {
    if (errors++ < MOST_ERRORS) {
      track("script_error", {
        message: String(message).slice(0, 300), file: String(file || "").split("?")[0], line: line
      });
    }
  }

  function watchErrors() {
    w.addEventListener("error", function (e) {
      if (e.message) failed(e.message, e.filename, e.lineno);
    });
    w.addEventListener("unhandledrejection", function (e) {
      failed((e.reason && e.reason.message) || e.reason, "", 0);
    });
  }

  /* A call's path without what makes it one visitor's: numbers and long ids become ":id". */
  function endpoint(address) {
    var path = new URL(address, w.location.href).pathname;
    return path.replace(/\/(\d+|[0-9a-f-]{16,}|[^/]*\d[^/]{15,})(?=\/|$)/gi, "/:id");
  }

  function watchCalls() {
    var fetch = w.fetch;
    w.fetch = function (input) {
      var began = w.performance.now(), to = String((input && input.url) || input);
      var call = fetch.apply(w, arguments);
      if (new URL(to, w.location.href).origin === new URL(home).origin && to.indexOf("/v1/collect") >= 0)
        return call;
      var tell = function (status) {
        track("api_timed", {
          endpoint: endpoint(to), ms: Math.round(w.performance.now() - began), status: status
        });
      };
      call.then(function (answer) { tell(answer.status); }, function () { tell(0); });
      return call;
    };
  }

  function watchPages() {
    var shown = w.location.pathname;
    function moved() {
      if (w.location.pathname !== shown) { shown = w.location.pathname; pageViewed(); }
    }
    var push = w.history.pushState;
    w.history.pushState = function () { push.apply(w.history, arguments); moved(); };
    w.addEventListener("popstate", moved);
    pageViewed();
  }

  var commands = {
    track: track,
    identify: function (id) { user = String(id || ""); },
    dims: function (more) { for (var name in more) dims[name] = more[name]; },
    consent: decide,
    flush: flush
  };
  function recoup(command) {
    try {
      commands[command].apply(null, [].slice.call(arguments, 1));
    } catch (e) { /* a tracker never breaks a shop */ }
  }

  var waiting = (w.recoup && w.recoup.q) || [];
  recoup.ready = true;
  w.recoup = recoup;
  if (consent) restore();
  for (var i = 0; i < waiting.length; i++) recoup.apply(null, waiting[i]);
  if (option("errors", "on") !== "off") watchErrors();
  if (option("api", "off") === "on" && w.fetch) watchCalls();
  if (option("page", "on") !== "off") watchPages();
  d.addEventListener("visibilitychange", function () {
    if (d.visibilityState === "hidden") leave();
  });
  w.addEventListener("pagehide", leave);
  w.addEventListener("online", flush);
  if (queue.length) later(0);
})(window, document);
