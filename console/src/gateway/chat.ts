/** A streamed chat through the door, as any OpenAI client would ask it. */
import { ApiError, csrfToken, problemOf } from '../shared/http';
import { language } from '../shared/language';

export interface Figures {
  first_ms: number;
  all_ms: number;
  prompt: number | null;
  completion: number | null;
}

export interface Question {
  model: string;
  system: string;
  question: string;
  temperature: number;
  most: number;
}

interface Chunk {
  choices?: { delta?: { content?: string | null; reasoning_content?: string | null } }[];
  usage?: { prompt_tokens: number; completion_tokens: number } | null;
  error?: { message: string };
}

/** Calls `piece` with each part of the answer; `thought` for what the model thinks aloud. */
export async function chat(
  question: Question,
  piece: (text: string, thought: boolean) => void,
  signal: AbortSignal,
): Promise<Figures> {
  const began = performance.now();
  const figures: Figures = { first_ms: 0, all_ms: 0, prompt: null, completion: null };
  const messages = [
    ...(question.system ? [{ role: 'system', content: question.system }] : []),
    { role: 'user', content: question.question },
  ];
  const response = await fetch('/v1/chat/completions', {
    method: 'POST',
    signal,
    headers: { 'Content-Type': 'application/json', 'Accept-Language': language(), 'X-CSRF-Token': csrfToken() },
    body: JSON.stringify({
      model: question.model,
      messages,
      temperature: question.temperature,
      max_tokens: question.most,
      stream: true,
      stream_options: { include_usage: true },
    }),
  });
  if (!response.ok || !response.body) throw new ApiError(problemOf(response.status, await response.text()));
  const take = (data: string) => {
    if (data === '[DONE]') return;
    const chunk = JSON.parse(data) as Chunk;
    if (chunk.error) throw new Error(chunk.error.message);
    const delta = chunk.choices?.[0]?.delta;
    if ((delta?.content || delta?.reasoning_content) && figures.first_ms === 0) figures.first_ms = Math.round(performance.now() - began);
    if (delta?.reasoning_content) piece(delta.reasoning_content, true);
    if (delta?.content) piece(delta.content, false);
    if (chunk.usage) {
      figures.prompt = chunk.usage.prompt_tokens;
      figures.completion = chunk.usage.completion_tokens;
    }
  };
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    rest += value;
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line.startsWith('data:')) take(line.slice(5).trim());
  }
  figures.all_ms = Math.round(performance.now() - began);
  return figures;
}
