// Counts over time as bars, with a part of them set off. Drawn by uPlot, which is loaded when a chart is first shown.

import { html, useEffect, useRef } from '../html.js';
import { clock, day, minute, number } from '../format.js';
import { language, t } from '../i18n.js';
import { useObservable } from '../observable.js';
import { preferences } from '../preferences.js';

let library = null;

function load() {
  if (!library) {
    const sheet = document.createElement('link');
    sheet.rel = 'stylesheet';
    sheet.href = 'vendor/uplot-1.6.32/uplot.css';
    document.head.append(sheet);
    library = import('../vendor/uplot-1.6.32/uplot.js').then((module) => module.default);
  }
  return library;
}

// A canvas knows no custom properties.
function colour(element, name) {
  const probe = document.createElement('span');
  probe.style.color = `var(${name})`;
  element.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

function options(element, uPlot, { starts, bucket, lines, height, onZoom }) {
  const [text, grid] = [colour(element, '--muted'), colour(element, '--line')];
  const font = '11px system-ui, sans-serif';
  const label = (second) => (bucket >= 86_400 ? day(second * 1000) : clock(second * 1000, bucket < 60));
  const axis = { stroke: text, font, grid: { stroke: grid, width: 1 }, ticks: { show: false } };
  return {
    width: element.clientWidth,
    height,
    padding: [8, 8, 0, 0],
    legend: { show: false },
    cursor: { points: { show: false }, drag: { x: true, y: false, setScale: false }, y: false },
    scales: {
      x: { time: true, range: () => [starts[0], starts.at(-1) + bucket] },
      y: { range: (_, min, max) => [0, Math.max(max, 1)] },
    },
    axes: [
      { ...axis, grid: { show: false }, size: 24, gap: 4, space: 80, values: (_, ticks) => ticks.map(label) },
      {
        ...axis,
        size: 48,
        space: 24,
        values: (_, ticks) => ticks.map((tick) => (Number.isInteger(tick) ? number(tick) : '')),
      },
    ],
    series: [
      {},
      ...lines.map(({ colour: name }) => ({
        fill: colour(element, name),
        width: 0,
        points: { show: false },
        paths: uPlot.paths.bars({ size: [0.85, 64], align: 1 }),
      })),
    ],
    hooks: {
      setSelect: [
        (plot) => {
          const { left, width } = plot.select;
          if (width < 4) return;
          const at = (pixel) => new Date(Math.round(plot.posToVal(pixel, 'x') * 1000)).toISOString();
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          onZoom(at(left), at(left + width));
        },
      ],
    },
  };
}

// `lines`: `{name, colour, tone, events}`, the widest first; each is drawn over the one before.
export function TimeChart({ starts, bucket, lines, height = 120, onZoom }) {
  const element = useRef(null);
  const { theme } = useObservable(preferences);
  useObservable(language);
  useEffect(() => {
    const place = element.current;
    let plot = null;
    let isGone = false;
    const seconds = starts.map((start) => new Date(start).getTime() / 1000);
    const draw = async () => {
      const uPlot = await load();
      if (isGone) return;
      plot?.destroy();
      const data = [seconds, ...lines.map(({ events }) => events)];
      plot = new uPlot(options(place, uPlot, { starts: seconds, bucket, lines, height, onZoom }), data, place);
    };
    draw();
    const system = matchMedia('(prefers-color-scheme: dark)');
    system.addEventListener('change', draw);
    const sized = new ResizeObserver(() => plot?.setSize({ width: place.clientWidth, height }));
    sized.observe(place);
    return () => {
      isGone = true;
      system.removeEventListener('change', draw);
      sized.disconnect();
      plot?.destroy();
    };
  }, [starts, lines, theme, language.get(), preferences.get().zone]);
  const total = lines[0]?.events.reduce((sum, count) => sum + count, 0) ?? 0;
  const end = new Date(new Date(starts.at(-1)).getTime() + bucket * 1000);
  const label = t('chart.label', { total: number(total), from: minute(starts[0]), to: minute(end) });
  return html`<figure class="figure">
    <div class="chart" ref=${element} role="img" aria-label=${label}></div>
    <figcaption class="legend">
      ${lines.map(({ name, tone, events }) => {
        const sum = events.reduce((all, count) => all + count, 0);
        return html`<span><i class="tone-${tone}"></i>${name} ${number(sum)}</span>`;
      })}
      ${onZoom && html`<span>${t('chart.hint')}</span>`}
    </figcaption>
  </figure>`;
}
