// Whether a user can sign in.

import { html } from '../html.js';
import { t } from '../i18n.js';

export function UserState({ user }) {
  if (user.disabled) return html`<span class="badge bad">${t('people.disabled')}</span>`;
  if (!user.has_password) return html`<span class="badge warn">${t('people.no_password')}</span>`;
  return html`<span class="badge good">${t('people.active')}</span>`;
}
