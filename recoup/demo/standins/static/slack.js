// Renders Block Kit messages and turns clicks into signed interactions (the stand-in signs them).
const box = document.querySelector("#messages"), person = document.querySelector("#person");
const form = document.querySelector("#form");
const EMOJI = { mag: "🔍", raised_hand: "✋", gear: "⚙️", hourglass_flowing_sand: "⏳", white_check_mark: "✅", no_entry_sign: "🚫", speech_balloon: "💬", rotating_light: "🚨", ghost: "👻", memo: "📝", checkered_flag: "🏁" };
let shown = "";
const el = (tag, cls, text) => { const e = document.createElement(tag); if (cls) e.className = cls; if (text !== undefined) e.textContent = text; return e; };
const plain = (t) => t.replace(/:(\w+):/g, (all, name) => EMOJI[name] || all).replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");
function mrkdwn(target, text) {
  text = text.replace(/<!date\^\d+\^[^|>]+\|([^>]+)>/g, "$1");
  for (const part of text.split(/(\*[^*\n]+\*|_[^_\n]+_|<https?:[^>|]+\|[^>]+>)/)) {
    let m;
    if (/^\*(?!\u200b).+\*$/.test(part)) target.append(el("b", "", plain(part.slice(1, -1))));
    else if (/^_(?!\u200b).+_$/.test(part)) target.append(el("i", "", plain(part.slice(1, -1))));
    else if ((m = part.match(/^<(https?:[^|]+)\|(.+)>$/))) { const a = el("a", "", plain(m[2])); a.href = m[1]; target.append(a); }
    else target.append(plain(part));
  }
  return target;
}
const post = async (path, body) => (await fetch(path, { method: "POST", body: JSON.stringify({ ...body, user: person.value }) })).json();
async function click(ts, action, option) {
  if (!option && action.confirm && !confirm(action.confirm.text.text)) return;
  const answer = await post("/_control/press", { ts, action_id: action.action_id, option });
  if (answer.view) ask(answer.view);
  refresh();
}
// The form as Recoup asks for it: texts, fields to fill in, choices.
function field(b, values) {
  if (b.type !== "input") return mrkdwn(el("p", "section"), b.text.text);
  const label = el("label", "", b.label.text), e = b.element, put = (v) => { (values[b.block_id] ||= {})[e.action_id] = { type: e.type, ...v }; };
  let x;
  if (e.type === "static_select") {
    x = el("select"); e.options.forEach((o, n) => x.append(new Option(plain(o.text.text), n)));
    x.onchange = () => put({ selected_option: e.options[x.value] }); x.onchange();
  } else {
    x = el(e.multiline ? "textarea" : "input"); x.maxLength = e.max_length || 3000; x.oninput = () => put({ value: x.value || null }); x.oninput();
  }
  x.required = !b.optional; label.append(x);
  const row = el("div", "field"); row.append(label);
  if (b.hint) { const hint = el("p", "hint", b.hint.text); hint.id = `hint-${b.block_id}`; x.setAttribute("aria-describedby", hint.id); row.append(hint); }
  return row;
}
function ask(view) {
  const values = {}, inner = el("form"), title = el("h2", "", view.title.text), row = el("p", "actions");
  inner.method = "dialog"; title.id = "form-title";
  const send = el("button", "primary", view.submit.text), back = el("button", "", view.close.text);
  send.value = "send"; back.value = "back"; back.formNoValidate = true; row.append(send, back);
  inner.append(title, ...view.blocks.map((b) => field(b, values)), row);
  form.replaceChildren(inner); form.returnValue = ""; form.showModal();
  (inner.querySelector("textarea, input, select") || send).focus();
  form.onclose = async () => { if (form.returnValue === "send") { await post("/_control/send", { values }); refresh(); } };
}
function block(b, ts) {
  if (b.type === "header") return el("p", "head", plain(b.text.text));
  if (b.type === "section") {
    const s = el("div", "section");
    if (b.text) mrkdwn(s, b.text.text);
    for (const f of b.fields || []) s.append(mrkdwn(el("div", "field"), f.text));
    return s;
  }
  if (b.type === "divider") return el("hr");
  if (b.type === "image") { const i = el("img", "image"); i.src = b.image_url || `/_files/${b.slack_file.id}`; i.alt = b.alt_text; i.onerror = () => i.remove(); return i; }
  if (b.type === "context") { const c = el("div", "context"); b.elements.forEach((e) => mrkdwn(c, e.text)); return c; }
  const row = el("div", "actions");
  for (const a of b.elements || []) {
    if (a.type === "overflow") {
      const s = el("select"); s.setAttribute("aria-label", "More"); s.append(new Option("…", ""));
      a.options.forEach((o) => s.append(new Option(o.text.text, o.value))); s.onchange = () => { const wish = s.value; s.value = ""; if (wish) click(ts, a, wish); }; row.append(s);
    } else { const x = el("button", a.style || "", plain(a.text.text)); x.onclick = () => click(ts, a); row.append(x); }
  }
  return row;
}
async function refresh() {
  const got = await (await fetch("/_messages")).json();
  if (!person.length) Object.entries(got.people).forEach(([id, name]) => person.append(new Option(name, id)));
  const text = JSON.stringify(got.messages);
  if (text === shown || box.querySelector("select:focus")) return;
  shown = text;
  if (got.messages.length) box.replaceChildren();
  for (const m of got.messages.filter((x) => !x.thread_ts)) {
    const row = el("article", "message"); row.append(el("div", "avatar", "R"));
    const body = el("div"); body.append(el("b", "", m.ephemeral ? "Recoup (only you see this)" : "Recoup"));
    if (m.blocks.length) m.blocks.forEach((b) => body.append(block(b, m.ts))); else body.append(el("p", m.ephemeral ? "ephemeral" : "", plain(m.text)));
    for (const t of got.messages.filter((x) => x.thread_ts && x.thread_ts === m.ts)) body.append(el("div", "thread", plain(t.text)));
    row.append(body); box.append(row);
  }
}
setInterval(refresh, 1000); refresh();
