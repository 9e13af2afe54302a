// Comforts of the console: copy buttons and live charts. Every page works without them.
"use strict";

for (const button of document.querySelectorAll("button[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const text = document.getElementById(button.dataset.copy).textContent;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Select the text and copy it";
    }
  });
}

// Points of a chart: ten minutes.
const POINTS = 300;
const EVERY_MS = 2000;

function chart(place, title, series) {
  const colors = ["#2f81f7", "#d1242f", "#8250df", "#bf8700"];
  const style = getComputedStyle(document.body);
  const axis = { stroke: style.color, grid: { stroke: "#80808040" } };
  const size = () => ({ width: place.clientWidth, height: 220 });
  const options = { title, ...size(), axes: [axis, axis],
    series: [{}, ...series.map((label, n) => ({ label, stroke: colors[n % colors.length], width: 2 }))] };
  const data = [[], ...series.map(() => [])];
  const plot = new uPlot(options, data, place);
  addEventListener("resize", () => plot.setSize(size()));
  return (now, values) => {
    data.forEach((column, n) => { column.push(n === 0 ? now : values[n - 1]); if (column.length > POINTS) column.shift(); });
    plot.setData(data);
  };
}

const places = document.querySelector("[data-live]");
if (places && window.uPlot) {
  const operations = ["login", "refresh", "verify"];
  const add = (title, series) => {
    const place = document.createElement("div");
    place.className = "chart";
    place.setAttribute("role", "img");
    place.setAttribute("aria-label", title + ", live; the table has the totals");
    places.append(place);
    return chart(place, title, series);
  };
  const rates = add("Succeeded per second", operations);
  const failures = add("Failed per second", operations);
  const times = add("Mean time in ms", operations);
  let before = null;
  const tick = async () => {
    const answer = await fetch(places.dataset.live, { headers: { accept: "application/json" }, redirect: "error" }).catch(() => null);
    if (!answer || !answer.ok) return;
    const counted = await answer.json();
    const now = Date.now() / 1000;
    if (before) {
      const since = (name, n) => counted[name][n] - before.counted[name][n];
      const each = (n) => operations.map((name) => since(name, n) / (now - before.now));
      rates(now, each(0));
      failures(now, each(1));
      times(now, operations.map((name) => {
        const count = since(name, 0) + since(name, 1);
        return count > 0 ? (1000 * since(name, 2)) / count : null;
      }));
    }
    before = { now, counted };
  };
  tick();
  setInterval(tick, EVERY_MS);
}
