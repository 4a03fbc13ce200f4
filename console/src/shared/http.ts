/** The one way to the server: fetch with the session's token, and errors as the server words them. */
import { language, tr } from './language';

/** RFC 9457 problem details, as every error of the server. */
export interface Problem {
  status: number;
  code: string;
  title: string;
  detail: string;
  hint: string;
  trace_id: string;
}

export class ApiError extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail || problem.title);
  }
}

export interface Reply<T> {
  body: T;
  etag: string;
}

export interface CallOptions {
  body?: unknown;
  ifMatch?: string;
  signal?: AbortSignal;
  /** Without the session: what a resident would get. */
  anonymous?: boolean;
}

let csrf = '';
let onSignedOut: () => void = () => undefined;

export function setCsrf(token: string): void {
  csrf = token;
}

/** Called when the server says that nobody is signed in any more. */
/** For the few calls that do not go through here (streams). */
export function csrfToken(): string {
  return csrf;
}

export function whenSignedOut(then: () => void): void {
  onSignedOut = then;
}

function text(from: Record<string, unknown>, name: string): string {
  const value = from[name];
  return typeof value === 'string' ? value : '';
}

export function problemOf(status: number, body: string): Problem {
  let fields: Record<string, unknown> = {};
  try {
    const parsed: unknown = JSON.parse(body);
    if (parsed !== null && typeof parsed === 'object') fields = parsed as Record<string, unknown>;
  } catch {
    /* not ours: a proxy's page, say */
  }
  return {
    status,
    code: text(fields, 'code'),
    title: text(fields, 'title') || `HTTP ${status}`,
    detail: text(fields, 'detail'),
    hint: text(fields, 'hint'),
    trace_id: text(fields, 'trace_id'),
  };
}

/** What to show for anything thrown. */
export function asProblem(error: unknown): Problem {
  if (error instanceof ApiError) return error.problem;
  const detail = error instanceof Error ? error.message : String(error);
  return { status: 0, code: 'client', title: detail, detail, hint: '', trace_id: '' };
}

function unreachable(): ApiError {
  return new ApiError({
    status: 0,
    code: 'unreachable',
    title: tr('连接不上服务器', 'The server cannot be reached'),
    detail: tr('连接不上服务器', 'The server cannot be reached'),
    hint: tr('请检查网络，稍后再试。', 'Check the network and try again shortly.'),
    trace_id: '',
  });
}

function headersOf(method: string, options: CallOptions): Headers {
  const headers = new Headers({ 'Accept-Language': language(), Accept: 'application/json' });
  if (options.body !== undefined) headers.set('Content-Type', 'application/json');
  if (options.ifMatch) headers.set('If-Match', options.ifMatch);
  if (method !== 'GET' && csrf && !options.anonymous) headers.set('X-CSRF-Token', csrf);
  return headers;
}

async function send(method: string, path: string, options: CallOptions): Promise<Response> {
  const init: RequestInit = {
    method,
    headers: headersOf(method, options),
    credentials: options.anonymous ? 'omit' : 'same-origin',
  };
  if (options.body !== undefined) init.body = JSON.stringify(options.body);
  if (options.signal) init.signal = options.signal;
  let response: Response;
  try {
    response = await fetch(path, init);
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw unreachable();
  }
  if (response.ok) return response;
  const problem = problemOf(response.status, await response.text());
  if (problem.status === 401 && !options.anonymous && path !== '/api/session') onSignedOut();
  throw new ApiError(problem);
}

export async function call<T>(
  method: string,
  path: string,
  options: CallOptions = {},
): Promise<Reply<T>> {
  const response = await send(method, path, options);
  const words = await response.text();
  const body = (words === '' ? {} : JSON.parse(words)) as T;
  return { body, etag: response.headers.get('ETag') ?? '' };
}

export async function get<T>(path: string, options: CallOptions = {}): Promise<T> {
  return (await call<T>('GET', path, options)).body;
}

export async function post<T>(path: string, body?: unknown, options: CallOptions = {}): Promise<T> {
  return (await call<T>('POST', path, body === undefined ? options : { ...options, body })).body;
}

export async function getText(path: string): Promise<string> {
  return (await send('GET', path, {})).text();
}

/** "?a=1&b=2" of what is set; empty values are left out. */
export function query(values: Record<string, string | number | boolean | null | undefined>): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined || value === null || value === '' || value === false) continue;
    params.set(name, String(value));
  }
  const words = params.toString();
  return words === '' ? '' : `?${words}`;
}

/** Every item of a list that comes by pages, for choosing among them; 10,000 at most. */
export async function everything<T>(path: string): Promise<{ items: T[] }> {
  const items: T[] = [];
  for (let after = '', page = 0; page < 20; page++) {
    const got = await get<{ items: T[]; next?: string | null }>(`${path}${query({ after, limit: 500 })}`);
    items.push(...got.items);
    if (!got.next) break;
    after = got.next;
  }
  return { items };
}

/** Sends a file as the body, telling the share that has gone out (0 to 1). */
export function upload<T>(path: string, file: Blob, progress: (share: number) => void): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', path);
    request.setRequestHeader('Accept-Language', language());
    request.setRequestHeader('Content-Type', 'application/octet-stream');
    if (csrf) request.setRequestHeader('X-CSRF-Token', csrf);
    request.upload.onprogress = (event) => {
      if (event.lengthComputable) progress(event.loaded / event.total);
    };
    request.onerror = () => reject(unreachable());
    request.onload = () => {
      if (request.status >= 200 && request.status < 300) resolve(JSON.parse(request.responseText) as T);
      else reject(new ApiError(problemOf(request.status, request.responseText)));
    };
    request.send(file);
  });
}
