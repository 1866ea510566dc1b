// Tables that become cards on a phone, and the selects above them.
import {h} from './dom.js';

// `row(item)` gives {cells, href}; the first cell of a row with an href is its link.
export function table(columns, items, row) {
  return h('div', {class: 'table-scroll'}, h('table', {},
    h('thead', {}, h('tr', {}, columns.map((column) => h('th', {scope: 'col'}, column)))),
    h('tbody', {}, items.map((item) => {
      const {cells, href} = row(item);
      return h('tr', {}, cells.map((cell, i) => h('td', {'data-label': columns[i]}, i === 0 && href ? h('a', {href, class: 'cell-link'}, cell) : cell)));
    }))));
}

// `choices()` is asked again on refresh; the value stays.
export function select(label, initial, choices, onchange) {
  const control = h('select', {'aria-label': label, onchange});
  let value = initial;
  control.addEventListener('change', () => { value = control.value; }, {capture: true});
  return {
    element: h('label', {class: 'select'}, h('span', {}, label), control),
    value: () => value,
    focus: () => control.focus(),
    refresh() {
      const wanted = [...new Set([...choices(), value])];
      if (wanted.join('\n') !== [...control.options].map((option) => option.value).join('\n')) control.replaceChildren(...wanted.map((choice) => h('option', {value: choice}, choice || 'all')));
      control.value = value;
    },
  };
}
