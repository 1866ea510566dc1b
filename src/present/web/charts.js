// Charts of one host on one time axis: the cursor, the zoom and the marks are the same in all of them.
import {h, text} from './dom.js';
import {clockTime, isNumber, quantity, score} from './format.js';

const axisWidth = 64; // the same in every chart, so that equal times stand above each other
const byteSteps = Array.from({length: 50}, (_, i) => 2 ** i);
const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

// `window` answers [from, to] in seconds, `marks` answers [{at, kind, label, strong}], and `onzoom` hears of
// [from, to], or of null when the zoom has ended. `zoomed` is where to begin.
export class TimeCharts {
  constructor({window, marks, onzoom = () => {}, zoomed = null}) {
    this.window = window;
    this.marks = marks;
    this.onzoom = onzoom;
    this.zoomed = zoomed;
    this.charts = [];
    this.sync = uPlot.sync(`charts-${Math.random()}`);
    this.resizing = new ResizeObserver((entries) => {
      for (const {target, contentRect} of entries) {
        const chart = this.charts.find((each) => each.place === target);
        if (chart && contentRect.width > 0) chart.plot.setSize({width: contentRect.width, height: chart.height});
      }
    });
    this.repaint = () => this.charts.forEach((chart) => chart.rebuild());
    addEventListener('themechange', this.repaint);
  }

  // {title, unit, help, height, series: [{name, stroke, fill, dash}], range}
  add(spec) {
    const value = h('span', {class: 'chart-value'});
    const place = h('div', {class: 'chart-place'});
    const element = h('figure', {class: 'chart', 'aria-label': `${spec.title}. ${spec.help || ''}`},
      h('figcaption', {}, h('span', {class: 'chart-title', title: spec.help || ''}, spec.title), value), place);
    const chart = {...spec, place, value, element, height: spec.height || 96, data: [[], ...spec.series.map(() => [])]};
    chart.rebuild = () => {
      if (chart.plot) chart.plot.destroy();
      chart.plot = new uPlot(this.options(chart), chart.data, place);
      this.follow(chart);
    };
    this.charts.push(chart);
    chart.rebuild();
    this.resizing.observe(place);
    return chart;
  }

  options(chart) {
    const axis = {stroke: color('muted'), font: '11px system-ui, sans-serif', grid: {stroke: color('grid'), width: 1}, ticks: {show: false}};
    const ribbon = Boolean(chart.ribbon);
    return {
      width: Math.max(80, chart.place.clientWidth), height: chart.height, legend: {show: false}, padding: [6, 8, 0, 0],
      cursor: {sync: {key: this.sync.key}, y: false, drag: {x: true, y: false, setScale: false}, points: {show: !ribbon, size: 6}},
      scales: {x: {time: true}, y: {range: chart.range || ((_, low, high) => [Math.min(0, low ?? 0), Math.max(high ?? 1, 1e-9) * 1.08])}},
      axes: [
        {...axis, show: !ribbon, size: 22, space: 54, values: (_, ticks, __, ___, step) => ticks.map((tick) => (step < 60 ? clockTime(tick * 1000) : clockTime(tick * 1000).slice(0, 5)))},
        {...axis, size: axisWidth, space: 28, ...(chart.unit.startsWith('bytes') ? {incrs: byteSteps} : {}), values: (_, ticks) => ticks.map((tick) => (ribbon ? '' : quantity(tick, chart.unit))), grid: {...axis.grid, show: !ribbon}},
      ],
      series: [{}, ...chart.series.map((line) => ({stroke: color(line.stroke), fill: line.fill && color(line.fill), dash: line.dash, width: line.width ?? 1.5, points: {show: false}, spanGaps: false}))],
      hooks: {
        draw: [(plot) => { if (ribbon) chart.ribbon(plot, color); this.drawMarks(plot, chart); }],
        setCursor: [(plot) => this.readOut(chart, plot.cursor.idx)],
        setSelect: [(plot) => this.zoomTo(plot)],
        ready: [(plot) => plot.over.addEventListener('dblclick', () => this.zoomOut())],
      },
    };
  }

  drawMarks(plot, chart) {
    const {ctx, bbox} = plot;
    const [from, to] = [plot.scales.x.min, plot.scales.x.max];
    ctx.save();
    for (const mark of this.marks()) {
      if (mark.at < from || mark.at > to) continue;
      const x = Math.round(plot.valToPos(mark.at, 'x', true));
      ctx.strokeStyle = ctx.fillStyle = color(mark.kind);
      ctx.lineWidth = devicePixelRatio * (mark.strong ? 2 : 1);
      ctx.setLineDash(mark.strong ? [] : [4 * devicePixelRatio, 3 * devicePixelRatio]);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      if (chart.labelMarks && mark.strong) {
        ctx.font = `600 ${11 * devicePixelRatio}px system-ui, sans-serif`;
        ctx.textAlign = x > bbox.left + bbox.width * 0.8 ? 'right' : 'left';
        ctx.fillText(mark.label, x + (ctx.textAlign === 'left' ? 5 : -5) * devicePixelRatio, bbox.top + 12 * devicePixelRatio);
      }
    }
    ctx.restore();
  }

  readOut(chart, index) {
    const times = chart.data[0];
    const at = index ?? times.length - 1;
    const said = at < 0 ? '–' : chart.read ? chart.read(at) : quantity(chart.data[1][at], chart.unit);
    text(chart.value, index === null || index === undefined ? said : `${clockTime(times[at] * 1000)}  ${said}`);
  }

  follow(chart) {
    const [min, max] = this.zoomed || this.window();
    chart.plot.setScale('x', {min, max});
    this.readOut(chart, chart.plot.cursor.idx);
  }

  set(chart, data) {
    chart.data = data;
    chart.plot.setData(data, false);
    this.follow(chart);
  }

  zoomTo(plot) {
    if (plot.select.width < 8) return;
    this.zoomed = [plot.posToVal(plot.select.left, 'x'), plot.posToVal(plot.select.left + plot.select.width, 'x')];
    this.charts.forEach((chart) => {
      chart.plot.setSelect({left: 0, top: 0, width: 0, height: 0}, false);
      this.follow(chart);
    });
    this.onzoom(this.zoomed);
  }

  zoomOut() {
    this.zoomed = null;
    this.charts.forEach((chart) => this.follow(chart));
    this.onzoom(null);
  }

  destroy() {
    this.resizing.disconnect();
    removeEventListener('themechange', this.repaint);
    this.charts.forEach((chart) => chart.plot.destroy());
  }
}

// The states of the points as a band of named segments.
function stateRibbon(times, states) {
  const segments = [];
  states.forEach((state, i) => {
    const last = segments[segments.length - 1];
    if (last && last.state === state) last.to = times[i];
    else {
      if (last) last.to = times[i];
      segments.push({state, from: times[i], to: times[i]});
    }
  });
  return (plot, tone) => {
    const {ctx, bbox} = plot;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.font = `600 ${10.5 * devicePixelRatio}px system-ui, sans-serif`;
    ctx.textBaseline = 'middle';
    ctx.textAlign = 'left';
    for (const {state, from, to} of segments) {
      const left = plot.valToPos(from, 'x', true), width = Math.max(2, plot.valToPos(to, 'x', true) - left);
      ctx.fillStyle = tone(`fill-${state}`);
      ctx.fillRect(left, bbox.top, width, bbox.height);
      const start = Math.max(left, bbox.left) + 6 * devicePixelRatio;
      ctx.fillStyle = tone(`state-${state}`);
      if (left + width - start > ctx.measureText(state).width) ctx.fillText(state, start, bbox.top + bbox.height / 2);
    }
    ctx.restore();
  };
}

// The score against its threshold above the band of states; `show(points)` draws them.
export function addScoreCharts(charts) {
  const scores = charts.add({title: 'Anomaly score', unit: '1', height: 190, labelMarks: true, range: () => [0, 1],
    help: 'How few random cuts set the last point apart: near 1 is unusual. The dashed line is the threshold.',
    series: [{stroke: 'accent', fill: 'accent-fill', width: 2}, {stroke: 'state-ANOMALY', dash: [6, 4], width: 1.5}],
    read: (i) => `${score(scores.data[1][i])} of ${score(scores.data[2][i])}`});
  const ribbon = charts.add({title: 'State', unit: '1', height: 34, range: () => [0, 1], series: [{stroke: 'muted', width: 0}],
    states: [], ribbon: () => {}, read: (i) => ribbon.states[i] || '–'});
  return {
    elements: [scores.element, ribbon.element],
    show(points) {
      const times = points.map((point) => Date.parse(point.time) / 1000);
      ribbon.states = points.map((point) => point.state);
      ribbon.ribbon = stateRibbon(times, ribbon.states);
      charts.set(scores, [times, points.map((point) => point.score), points.map((point) => point.threshold)]);
      charts.set(ribbon, [times, times.map(() => null)]);
    },
  };
}

export const hasNumbers = (values) => values.some(isNumber);
