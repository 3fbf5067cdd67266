'use strict';
// Names and paths come from data sets: they reach the page as text only, never as markup.
const { charts, runs, order } = JSON.parse(document.getElementById('data').textContent);
const tip = document.getElementById('tip');
const viewer = document.getElementById('viewer');

function element(tag, parent, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  parent.append(node);
  return node;
}

function imageOf(key) {
  const [run, i] = key.split('/');
  return runs[run][i];
}

function drawn(tag, parent, attributes) {
  const node = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  parent.append(node);
  return node;
}

// Images of a few pixels, such as CIFAR's, are shown larger.
function small(image) {
  const [width, height] = image.size;
  return width && height && Math.max(width, height) <= 64 ? 'small' : '';
}

// The thumbnail with its boxes; labels only where there is room for them.
function picture(image, parent, labels) {
  if (!image.thumbnail) return;
  const frame = element('div', parent, 'picture');
  const img = element('img', frame, small(image));
  img.src = image.thumbnail;
  img.alt = image.id;
  const svg = drawn('svg', frame, { viewBox: '0 0 1 1', preserveAspectRatio: 'none' });
  for (const [kind, boxes] of Object.entries(image.boxes)) {
    for (const { box: [left, top, right, bottom], label, score } of boxes) {
      drawn('rect', svg, { x: left, y: top, width: right - left, height: bottom - top, class: kind });
      if (!labels) continue;
      const text = kind === 'predicted' ? `${label} ${score.toFixed(2)}` : label;
      const span = element('span', frame, kind, text);
      span.style.left = `${100 * left}%`;
      // Predicted labels below, so that they do not cover those of the true box.
      span.style.top = `${100 * (kind === 'predicted' ? bottom : top)}%`;
      if (kind === 'predicted') span.style.transform = 'translateY(-100%)';
    }
  }
  for (const { title, uri } of image.maps || []) {
    const shown = element('figure', parent, 'map');
    const map = element('img', shown);
    map.src = uri;
    map.alt = title;
    if (labels) element('figcaption', shown, '', title);
  }
  if (!labels || !image.legend) return;
  const legend = element('p', parent, 'names');
  for (const { name, colour } of image.legend) {
    element('i', legend).style.background = colour;
    element('span', legend, '', name);
  }
}

function lines(image) {
  const percent = image.share === null ? '' : ` (${(100 * image.share).toFixed(0)}% of full)`;
  const per = image.iterations.map((n) => +n.toFixed(2)).join('/');
  const found = [`${+image.total.toFixed(2)} iterations (${per}), ${image.gmacs.toFixed(2)} GMAC${percent}`];
  if (image.objects !== null) {
    const size = image.relative === null ? '' : `, mean size ${(100 * image.relative).toFixed(1)}% of the image`;
    found.push(`${image.objects} object${image.objects === 1 ? '' : 's'}${size}`);
  }
  if (image.outcome !== null) found.push(image.outcome);
  if (image.error !== null) found.push(`error ${image.error.toFixed(3)}`);
  return found;
}

function show(key) {
  const image = imageOf(key);
  const place = document.getElementById('viewed');
  place.replaceChildren();
  picture(image, place, true);
  if (!image.thumbnail) element('p', place, 'note', 'This report holds no picture of this image.');
  for (const line of lines(image)) element('p', place, '', line);
  element('p', place, 'note', image.path || image.id);
  viewer.dataset.image = key;
  if (!viewer.open) viewer.showModal();
}

function hover(key, event) {
  const image = imageOf(key);
  tip.replaceChildren();
  if (image.thumbnail) {
    const img = element('img', tip, small(image));
    img.src = image.thumbnail;
    img.alt = '';
  }
  for (const line of [image.id, ...lines(image)]) element('p', tip, '', line);
  tip.hidden = false;
  const { innerWidth, innerHeight } = window;
  tip.style.left = `${Math.max(0, Math.min(event.clientX + 16, innerWidth - tip.offsetWidth - 8))}px`;
  tip.style.top = `${Math.max(0, Math.min(event.clientY + 16, innerHeight - tip.offsetHeight - 8))}px`;
}

// Charts and cards are filled when they come near the screen, or to paper.
const empty = new Map();
const watch = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) if (isIntersecting) setTimeout(fill, 0, target);
}, { rootMargin: '300px' });

function whenSeen(node, make) {
  empty.set(node, make);
  watch.observe(node);
}

function fill(node) {
  const make = empty.get(node);
  if (!make) return;
  empty.delete(node);
  watch.unobserve(node);
  make(node);
}
window.addEventListener('beforeprint', () => [...empty.keys()].forEach(fill));

// Nearly half of the page's text: it runs with the first chart.
function loadPlotly() {
  if (window.Plotly) return;
  const script = element('script', document.body, '', document.getElementById('plotly').textContent);
  script.remove();
}

// A finger on a chart scrolls the page; it would zoom otherwise.
const touched = window.matchMedia('(pointer: coarse)').matches;
function draw(chart) {
  const { data, layout } = charts[chart.id];
  loadPlotly();
  if (touched) layout.dragmode = false;
  for (const trace of data) trace.visible = isShown(trace.legendgroup);
  Plotly.newPlot(chart, data, layout, {
    displaylogo: false,
    responsive: true,
    showSendToCloud: false,
    modeBarButtonsToRemove: ['sendDataToCloud', 'sendChartToCloud', 'lasso2d', 'select2d'],
  });
  const key = (event) => event.points[0].customdata;
  chart.on('plotly_hover', (event) => key(event) && imageOf(key(event)) && hover(key(event), event.event));
  chart.on('plotly_unhover', () => { tip.hidden = true; });
  chart.on('plotly_click', (event) => {
    if (!key(event) || !imageOf(key(event))) return;
    viewer.card = document.querySelector(`.card[data-image="${key(event)}"]`);
    show(key(event));
  });
}

function drawCard(card) {
  const image = imageOf(card.dataset.image);
  picture(image, element('div', card, 'frame'), false);
  for (const line of lines(image)) element('p', card, '', line);
}

for (const card of document.querySelectorAll('.card')) {
  whenSeen(card, drawCard);
  card.addEventListener('click', () => {
    viewer.card = card;
    show(card.dataset.image);
  });
}
for (const id of Object.keys(charts)) {
  const chart = document.getElementById(id); // none in a log of mixed tasks
  if (chart) whenSeen(chart, draw);
}

// The slider: all evaluations, or one, from least to most compute. Traces of no run stay.
const slider = document.getElementById('runs');
function isShown(of) {
  return !slider || slider.value === '0' || of === undefined || of === String(order[slider.value - 1].run);
}
function choose() {
  const { label } = order[slider.value - 1] || { label: 'all evaluations' };
  document.getElementById('shown').value = label;
  for (const place of document.querySelectorAll('[data-run]')) place.hidden = !isShown(place.dataset.run);
  for (const chart of document.querySelectorAll('.js-plotly-plot')) {
    Plotly.restyle(chart, { visible: chart.data.map((trace) => isShown(trace.legendgroup)) });
  }
}
if (slider) slider.addEventListener('input', choose);

// In the viewer, arrows go to the neighbours of the picture: in its gallery, else among its run's pictures.
viewer.addEventListener('keydown', (event) => {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!step) return;
  const { card } = viewer;
  if (card) {
    viewer.card = (step < 0 ? card.previousElementSibling : card.nextElementSibling) || card;
    show(viewer.card.dataset.image);
    return;
  }
  const [run, shown] = viewer.dataset.image.split('/').map(Number);
  const places = Object.keys(runs[run]).map(Number).filter((i) => runs[run][i].thumbnail);
  const next = step < 0 ? places.filter((i) => i < shown).pop() : places.find((i) => i > shown);
  if (next !== undefined) show(`${run}/${next}`);
});
performance.mark('usable');
// Tells a test that everything above ran.
document.body.dataset.ready = 'true';
