/** Figures, times and names as people write them. */
import { language, tr } from './language';

export function count(n: number | null | undefined): string {
  return n === null || n === undefined ? '—' : n.toLocaleString(language() === 'en' ? 'en' : 'zh-CN');
}

export function percent(share: number | null | undefined): string {
  return share === null || share === undefined ? '—' : `${Math.round(share * 1000) / 10}%`;
}

/** An instant in the reader's time zone: 2026-11-21 18:05. */
export function moment(time: string | null | undefined): string {
  if (!time) return '—';
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return time;
  const two = (n: number) => String(n).padStart(2, '0');
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`;
}

export function lasted(from: string | null, to: string | null): string {
  if (!from) return '—';
  const seconds = Math.max(0, ((to ? new Date(to) : new Date()).getTime() - new Date(from).getTime()) / 1000);
  if (seconds < 1) return tr('不到 1 秒', 'under 1 s');
  if (seconds < 60) return tr(`${Math.round(seconds)} 秒`, `${Math.round(seconds)} s`);
  const minutes = Math.floor(seconds / 60);
  const rest = Math.floor(seconds % 60);
  const hours = Math.floor(minutes / 60);
  if (hours > 0) return tr(`${hours} 小时 ${minutes % 60} 分`, `${hours} h ${minutes % 60} min`);
  return tr(`${minutes} 分 ${rest} 秒`, `${minutes} min ${rest} s`);
}

export function took(us: number): string {
  return us < 1000 ? tr(`${us} 微秒`, `${us} µs`) : tr(`${(us / 1000).toFixed(1)} 毫秒`, `${(us / 1000).toFixed(1)} ms`);
}

/** What an entry of the ledger is about, when its code is known; else the code itself. */
export function jobStateWords(state: string): string {
  const words: Record<string, string> = {
    queued: tr('排队中', 'Queued'),
    running: tr('进行中', 'Running'),
    done: tr('已完成', 'Done'),
    failed: tr('失败', 'Failed'),
    cancelled: tr('已取消', 'Cancelled'),
  };
  return words[state] ?? state;
}

export function jobStateTone(state: string): 'good' | 'bad' | 'wait' | 'plain' {
  if (state === 'done') return 'good';
  if (state === 'failed') return 'bad';
  return state === 'running' ? 'wait' : 'plain';
}

/** 9,563 bytes as "9.3 KB". */
export function size(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const units = ['KB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = -1;
  do {
    value /= 1024;
    unit++;
  } while (value >= 1024 && unit < units.length - 1);
  return `${value.toFixed(value < 10 ? 1 : 0)} ${units[unit]}`;
}
