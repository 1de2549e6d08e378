// The choice of a period.

import { html } from '../html.js';
import { t } from '../i18n.js';
import { PERIODS, periodName } from '../period.js';
import { change } from '../url.js';

export function PeriodChoice({ params, periods = PERIODS }) {
  const isCustom = Boolean(params.from || params.to);
  const value = isCustom ? 'custom' : (params.last ?? '24h');
  const choose = (event) => change({ last: event.target.value, from: null, to: null });
  return html`<select aria-label=${t('period')} onChange=${choose}>
    ${isCustom && html`<option value="custom" selected>${periodName(params)}</option>`}
    ${periods.map((name) => html`<option value=${name} selected=${name === value}>${t(`period.${name}`)}</option>`)}
  </select>`;
}
