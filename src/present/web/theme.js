// Runs before the first paint, so that a chosen theme does not flash.
const themeChoices = ['system', 'dark', 'light'];
const prefersLight = matchMedia('(prefers-color-scheme: light)');

function applyTheme(choice) {
  const {dataset} = document.documentElement;
  dataset.choice = themeChoices.includes(choice) ? choice : 'system';
  dataset.theme = dataset.choice === 'system' ? (prefersLight.matches ? 'light' : 'dark') : dataset.choice;
  dispatchEvent(new Event('themechange'));
}

prefersLight.addEventListener('change', () => applyTheme(document.documentElement.dataset.choice));
applyTheme(localStorage.getItem('sentinel-theme'));
