// What the pages do beyond being read: parts that are loaded when asked for, news while a run goes on, the keyboard.
// Without it everything is still there, as links. Text from the server enters a page only as the server escaped it.

const POLL_MS = 1500;
const LOST_MS = 8000;

// ---------------------------------------------------------------------------------------------------- parts

async function parsed(response) {
  return new DOMParser().parseFromString(await response.text(), "text/html");
}

async function loadPart(link) {
  if (link.ariaBusy) return;
  link.ariaBusy = "true";
  const response = await fetch(link.href).catch(() => null);
  const part = response?.ok ? (await parsed(response)).getElementById("part") : null;
  if (part === null) {
    link.ariaBusy = null;
    return;
  }
  const whole = link.closest(".passage, .part, .sampled") ?? link;
  const nodes = [...part.childNodes].map((node) => document.importNode(node, true));
  if (whole === link || link.search.includes("from=")) whole.replaceWith(...nodes);
  else whole.replaceChildren(...nodes);
  watchTokens(document);
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-part]");
  if (link === null || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
  event.preventDefault();
  loadPart(link);
});

// --------------------------------------------------------------------------------------------------- tokens

const tokensInView = new IntersectionObserver((entries) => {
  for (const entry of entries) if (entry.isIntersecting) loadPart(entry.target);
}, { rootMargin: "600px" });

function watchTokens(root) {
  for (const link of root.querySelectorAll(".sampled > a[data-part]")) tokensInView.observe(link);
}

// ----------------------------------------------------------------------------------------------------- news

// as the server sent each piece: what the reader unfolded in it is not a difference
const served = new WeakMap();

function remember(root) {
  for (const region of root.querySelectorAll("[data-live]"))
    for (const child of region.children) served.set(child, child.outerHTML);
}

function takeIn(region, fresh) {
  const known = new Map([...region.children].map((child) => [child.dataset.key, child]));
  let place = region.firstElementChild;
  for (const child of fresh.children) {
    const html = child.outerHTML;
    let node = known.get(child.dataset.key);
    known.delete(child.dataset.key);
    if (node === undefined || served.get(node) !== html) {
      const next = document.importNode(child, true);
      served.set(next, html);
      if (node === undefined) next.classList.add("arrived");
      else {
        if (place === node) place = next;
        node.replaceWith(next);
      }
      node = next;
    }
    if (node === place) place = node.nextElementSibling;
    else region.insertBefore(node, place);
  }
  for (const gone of known.values()) gone.remove();
}

async function poll() {
  const { body } = document;
  const headers = { "If-None-Match": `"${body.dataset.stamp}"` };
  const response = document.hidden ? null : await fetch(location.href, { headers, cache: "no-store" }).catch(() => null);
  document.querySelector(".lost").hidden = document.hidden || response !== null;
  if (response?.status === 200) {
    const fresh = await parsed(response);
    for (const region of document.querySelectorAll("[data-live]")) {
      const news = fresh.getElementById(region.id);
      if (news !== null) takeIn(region, news);
    }
    if (response.redirected) history.replaceState(null, "", response.url + location.hash);
    body.dataset.stamp = fresh.body.dataset.stamp;
    if (fresh.body.dataset.poll === undefined) delete body.dataset.poll;
    document.querySelector(".tools > a[rel]") ?? adoptTools(fresh);
    watchTokens(document);
    watchTurns();
  }
  if (body.dataset.poll !== undefined) setTimeout(poll, response === null && !document.hidden ? LOST_MS : POLL_MS);
}

// an episode that was in flight has neighbours once it is recorded
function adoptTools(fresh) {
  for (const link of fresh.querySelectorAll(".tools > a[rel]"))
    document.querySelector(".lost").before(document.importNode(link, true));
}

// ---------------------------------------------------------------------------------------------- where one is

// a key has said which turn it is: what comes into view on the way there is another
const STEER_MS = 400;
let steered = -STEER_MS;

const turnsInView = new IntersectionObserver((entries) => {
  if (performance.now() - steered < STEER_MS) return;
  for (const entry of entries) if (entry.isIntersecting) mark(entry.target);
}, { rootMargin: "-15% 0px -75% 0px" });

function watchTurns() {
  for (const turn of document.querySelectorAll(".turn")) turnsInView.observe(turn);
}

function mark(turn) {
  document.querySelector(".turn.here")?.classList.remove("here");
  turn.classList.add("here");
  document.querySelector(".outline a[aria-current]")?.removeAttribute("aria-current");
  const link = document.querySelector(`.outline a[href="#${turn.id}"]`);
  link?.setAttribute("aria-current", "true");
  const list = link?.closest(".outline");
  if (list && list.scrollHeight > list.clientHeight)
    list.scrollTop = link.offsetTop - list.offsetTop - list.clientHeight / 2;
}

// ------------------------------------------------------------------------------------------------- keyboard

function move(by) {
  const rows = [...document.querySelectorAll(".turn, .list tbody th a")];
  const here = rows.findIndex((row) => row.classList.contains("here") || row === document.activeElement);
  const next = rows[here < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.min(Math.max(here + by, 0), rows.length - 1)];
  if (next === undefined) return;
  steered = performance.now();
  next.focus({ preventScroll: true });
  const isTurn = next.classList.contains("turn");
  next.scrollIntoView({ block: isTurn ? "start" : "nearest" });
  if (isTurn) mark(next);
}

let unfolded = false;

function unfold() {
  unfolded = !unfolded;
  for (const details of document.querySelectorAll("main details")) details.open = unfolded;
  if (unfolded) for (const link of document.querySelectorAll("a.more[data-part]")) if (!link.closest(".sampled")) loadPart(link);
}

function follow(...selectors) {
  const found = selectors.map((selector) => [...document.querySelectorAll(selector)].at(-1)).find(Boolean);
  found?.click();
}

const KEYS = {
  j: () => move(1),
  k: () => move(-1),
  n: () => follow('.tools a[rel="next"]', '.pager a[rel="next"]'),
  p: () => follow('.tools a[rel="prev"]', '.pager a[rel="prev"]'),
  u: () => follow(".crumbs a[data-up]"),
  e: unfold,
  t: () => document.getElementById("colour-tokens")?.click(),
  "/": () => document.querySelector("[data-filter]")?.focus(),
  "?": () => document.getElementById("help").showModal(),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.target.matches("input:not([type=checkbox]), select, textarea")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (!Object.hasOwn(KEYS, event.key)) return;
  event.preventDefault();
  KEYS[event.key]();
});

// --------------------------------------------------------------------------------------------------- curves

function nearest(numbers, wanted) {
  return numbers.reduce((best, one, i) => Math.abs(one - wanted) < Math.abs(numbers[best] - wanted) ? i : best, 0);
}

function figuresOf(line, name) {
  return line.dataset[name].split(" ");
}

// what every chart of the page has at one train step; Infinity: the newest
function readOff(step) {
  for (const curve of document.querySelectorAll(".curve")) {
    const read = [...curve.querySelectorAll("[data-steps]")].map((line) => {
      const steps = figuresOf(line, "steps").map(Number);
      const n = step === Infinity ? steps.length - 1 : nearest(steps, step);
      curve.querySelector(`b.${line.classList[0]}`).textContent = figuresOf(line, "values")[n];
      return { step: steps[n], x: figuresOf(line, "xs")[n] };
    });
    const shown = step === Infinity ? read.reduce((a, b) => (b.step > a.step ? b : a)) : read[nearest(read.map((one) => one.step), step)];
    curve.querySelector(".at").textContent = `step ${shown.step}`;
    const cross = curve.querySelector(".cross");
    cross.toggleAttribute("hidden", step === Infinity);
    for (const end of ["x1", "x2"]) cross.setAttribute(end, shown.x);
  }
}

document.addEventListener("pointermove", (event) => {
  const line = event.target.closest?.(".plot")?.querySelector("[data-steps]");
  if (line) {
    const at = new DOMPoint(event.clientX, 0).matrixTransform(line.getScreenCTM().inverse());
    readOff(Number(figuresOf(line, "steps")[nearest(figuresOf(line, "xs").map(Number), at.x)]));
  } else if (document.querySelector(".cross:not([hidden])")) readOff(Infinity);
});

// --------------------------------------------------------------------------------------------------- begin

remember(document);
watchTurns();
watchTokens(document);
for (const select of document.querySelectorAll(".filter select")) select.addEventListener("change", () => select.form.requestSubmit());
const help = document.querySelector("[data-help]");
help.hidden = false;
help.addEventListener("click", KEYS["?"]);
if (document.body.dataset.poll !== undefined) setTimeout(poll, POLL_MS);
