// Elements without a framework: text is always text, never markup, so nothing that a host or a process is
// called can become HTML.

const svgNamespace = 'http://www.w3.org/2000/svg';

function set(element, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
  else if (name === 'style') for (const [key, text] of Object.entries(value)) element.style.setProperty(key, text);
  else element.setAttribute(name, value === true ? '' : value);
}

function fill(element, props, children) {
  for (const [name, value] of Object.entries(props || {})) set(element, name, value);
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const h = (tag, props, ...children) => fill(document.createElement(tag), props, children);
export const svg = (tag, props, ...children) => fill(document.createElementNS(svgNamespace, tag), props, children);

// Writes only what changed: an unchanged node keeps the selection and costs no layout.
export function text(element, value) {
  if (element.textContent !== value) element.textContent = value;
}
export function attribute(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

// One shape per state: colour alone says nothing to one man in twelve.
const shapes = {
  HEALTHY: 'M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zm-1 9.3L3.9 7.7l1.2-1.2L7 8.4l4-4 1.2 1.2z',
  ANOMALY: 'M8 1 15.5 14.5H.5zM7.2 6v4.2h1.6V6zm0 5.4V13h1.6v-1.6z',
  HEALING: 'M6 1.5h4V6h4.5v4H10v4.5H6V10H1.5V6H6z',
  LEARNING: 'M8 1.5A6.5 6.5 0 1 0 14.5 8h-2A4.5 4.5 0 1 1 8 3.5z',
  STALE: 'M2 7h12v2H2z',
  SUSPECTED: 'M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zm-.9 3h1.8v4.6H7.1zm0 5.6h1.8v1.7H7.1z',
  OPEN: 'M8 1 15.5 14.5H.5zM7.2 6v4.2h1.6V6zm0 5.4V13h1.6v-1.6z',
  REMEDIATING: 'M6 1.5h4V6h4.5v4H10v4.5H6V10H1.5V6H6z',
  VERIFYING: 'M8 1.5A6.5 6.5 0 1 0 14.5 8h-2A4.5 4.5 0 1 1 8 3.5z',
  RESOLVED: 'M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zm-1 9.3L3.9 7.7l1.2-1.2L7 8.4l4-4 1.2 1.2z',
  ESCALATED: 'M8 1a3 3 0 1 1 0 6 3 3 0 0 1 0-6zM2 15c0-4 2.5-6.5 6-6.5s6 2.5 6 6.5z',
};

export function badge(state, words) {
  return h('span', {class: 'badge', 'data-state': state},
    svg('svg', {viewBox: '0 0 16 16', 'aria-hidden': 'true'}, svg('path', {d: shapes[state], 'fill-rule': 'evenodd'})),
    h('span', {}, words || state));
}

export function setBadge(element, state, words) {
  attribute(element, 'data-state', state);
  attribute(element.querySelector('path'), 'd', shapes[state]);
  text(element.lastChild, words || state);
}
