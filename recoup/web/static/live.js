// htmx redraws <main> when its content changed. This keeps out of people's way: no redraw while
// somebody types or has the keyboard inside, open details stay open, and a lost connection is said.
const banner = document.querySelector("#connection");
const clock = document.querySelector("#now");
const main = () => document.querySelector("#main");
let open = [];

document.body.addEventListener("htmx:beforeRequest", (event) => {
  const busy = main() !== document.activeElement && main().contains(document.activeElement);
  if (event.detail.elt.id === "main" && (document.hidden || busy)) event.preventDefault();
});
document.body.addEventListener("htmx:beforeSwap", () => {
  open = [...document.querySelectorAll("main details[open][id]")].map((each) => each.id);
});
document.body.addEventListener("htmx:afterSettle", () => {
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
});
document.body.addEventListener("recoup:now", (event) => {
  clock.textContent = event.detail.value;
  banner.hidden = true;
});
for (const name of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
  document.body.addEventListener(name, () => {
    document.querySelector("#last").textContent = clock.textContent;
    banner.hidden = false;
  });
}
