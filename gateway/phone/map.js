// The map opens where the conversation stands, or at home, and can be drawn larger and smaller.
const chart = document.querySelector(".chart");
const drawing = chart.querySelector("svg");
const STEP = 1.25;
const BORDER = 32; // what surrounds the drawing, in pixels
const natural = drawing && { width: Number(drawing.getAttribute("width")), height: Number(drawing.getAttribute("height")) };
const zoom = { scale: 1 };

function draw(scale) {
  zoom.scale = Math.min(4, Math.max(0.1, scale));
  drawing.setAttribute("width", natural.width * zoom.scale);
  drawing.setAttribute("height", natural.height * zoom.scale);
  document.getElementById("zoomed").textContent = `${Math.round(zoom.scale * 100)} %`;
}

function find() {
  const named = decodeURIComponent(location.hash.slice(1)) || "home";
  return [...drawing.querySelectorAll("g[data-node]")].find((each) => each.dataset.node === named);
}

function centre() {
  const node = find();
  if (!node) return;
  const box = node.getBoundingClientRect();
  const frame = chart.getBoundingClientRect();
  chart.scrollTop += box.top - frame.top - (frame.height - box.height) / 2;
  chart.scrollLeft += box.left - frame.left - Math.max(16, (frame.width - box.width) / 2);
}

const HOW = {
  in: () => draw(zoom.scale * STEP),
  out: () => draw(zoom.scale / STEP),
  whole: () => draw(Math.min((chart.clientWidth - BORDER) / natural.width, (chart.clientHeight - BORDER) / natural.height)),
  one: () => draw(1),
};

if (drawing) {
  document.getElementById("zoom").hidden = false;
  document.getElementById("zoom").addEventListener("click", ({ target }) => {
    if (!target.dataset.zoom) return;
    HOW[target.dataset.zoom]();
    centre();
  });
  addEventListener("hashchange", centre);
  centre();
}
