// Redraws the page's content every two seconds, unless somebody is typing.
const main = document.querySelector("[data-live]");
let shown = main.innerHTML;
setInterval(async () => {
  if (document.hidden || main.querySelector("input:focus, button:focus")) return;
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } }).catch(() => null);
  if (!answer || !answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.querySelector("[data-live]").innerHTML;
  document.querySelector(".now").textContent = page.querySelector(".now").textContent;
  if (fresh !== shown) { main.innerHTML = fresh; shown = fresh; }
}, 2000);
