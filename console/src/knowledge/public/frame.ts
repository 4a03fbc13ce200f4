/** What residents' pages share: the head with the hotline and the comfort switches, and the foot. */
import type { City } from '../../shared/api';
import { applyComfort, comfortOn, toggleComfort, type Comfort } from '../../shared/comfort';
import { h, type Child } from '../../shared/dom';
import { get } from '../../shared/http';
import { language, setLanguage, tr } from '../../shared/language';

export interface Frame {
  city: City;
  /** Draws the page again, after the language changed. */
  redraw: () => void;
}

/** The page works without it: then it is called by the product's name alone. */
export async function fetchCity(): Promise<City> {
  try {
    return await get<City>('/api/city', { anonymous: true });
  } catch {
    return { name: '', hotline: '12345' };
  }
}

export function hotlineOf(city: City): string {
  return city.hotline || '12345';
}

export function cityName(city: City): string {
  return tr(city.name, city.name_en || city.name);
}

function comfortButton(which: Comfort, words: string): HTMLElement {
  const button = h(
    'button',
    {
      type: 'button',
      class: 'switch',
      'aria-pressed': String(comfortOn(which)),
      onclick: () => {
        toggleComfort(which);
        button.setAttribute('aria-pressed', String(comfortOn(which)));
      },
    },
    words,
  );
  return button;
}

function languageButton(redraw: () => void): HTMLElement {
  const other = language() === 'zh' ? 'en' : 'zh';
  return h(
    'button',
    {
      type: 'button',
      class: 'switch',
      lang: other === 'en' ? 'en' : 'zh-CN',
      onclick: () => {
        setLanguage(other);
        redraw();
      },
    },
    other === 'en' ? 'English' : '中文',
  );
}

export function head(frame: Frame): HTMLElement {
  applyComfort();
  const hotline = hotlineOf(frame.city);
  const name = cityName(frame.city);
  return h(
    'header',
    { class: 'head' },
    h('a', { class: 'skip', href: '#main' }, tr('跳到正文', 'Skip to the content')),
    h(
      'div',
      { class: 'head-row' },
      h(
        'a',
        { class: 'brand', href: '/' },
        h('img', { src: '/icon.svg', alt: '', width: 36, height: 36 }),
        h('span', { class: 'brand-name' }, name ? `${name}${tr('政策问答', ' policy answers')}` : tr('一城问答', 'Yicheng')),
      ),
      h(
        'a',
        { class: 'hotline', href: `tel:${hotline}` },
        h('span', {}, tr('政务服务热线', 'Hotline')),
        h('strong', {}, hotline),
      ),
      h(
        'div',
        { class: 'switches', role: 'group', 'aria-label': tr('阅读方式', 'Reading') },
        comfortButton('large', tr('大字版', 'Large type')),
        comfortButton('contrast', tr('高对比', 'High contrast')),
        languageButton(frame.redraw),
      ),
    ),
  );
}

export function foot(city: City): HTMLElement {
  const lines: Child[] = [
    h(
      'p',
      {},
      tr(
        '答复逐字摘自公开的文件，不代替主管部门的决定；以文件原文和主管部门解释为准。',
        'Answers quote published documents word for word. They do not replace a decision of the authority in charge.',
      ),
    ),
  ];
  if (city.fictional)
    lines.push(
      h(
        'p',
        {},
        tr(
          '这是随软件提供的样例：城市、机构、电话和规定都是虚构的，不能作为办事依据。',
          'This is the sample that comes with the software: the city, its offices, numbers and rules are invented.',
        ),
      ),
    );
  lines.push(
    h('p', {}, h('a', { href: '/console/' }, tr('工作人员登录', 'Staff sign-in'))),
  );
  return h('footer', { class: 'foot' }, ...lines);
}
