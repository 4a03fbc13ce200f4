/** The part of an OpenAPI description that the page shows. */
export type OpenApi = { paths?: Record<string, Record<string, unknown>> };

export interface Parameter {
  name: string;
  place: string;
  type: string;
  required: boolean;
  summary: string;
}

export interface Operation {
  method: string;
  path: string;
  room: string;
  summary: string;
  permission: string;
  parameters: Parameter[];
  request: string;
  response: string;
}

type Fields = Record<string, unknown>;
const METHODS = ['get', 'post', 'put', 'patch', 'delete'];

function fields(value: unknown): Fields {
  return value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Fields) : {};
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** The schema of a body of any type, as indented JSON. */
function schemaOf(body: unknown): string {
  const kinds = Object.values(fields(fields(body)['content']));
  const schema = fields(kinds[0])['schema'];
  return schema === undefined ? '' : JSON.stringify(schema, null, 2);
}

function parameterOf(value: unknown): Parameter {
  const one = fields(value);
  return {
    name: text(one['name']),
    place: text(one['in']),
    type: text(fields(one['schema'])['format']) || text(fields(one['schema'])['type']),
    required: one['required'] === true,
    summary: text(one['description']),
  };
}

function operationOf(path: string, method: string, value: unknown): Operation {
  const one = fields(value);
  const tags = Array.isArray(one['tags']) ? one['tags'] : [];
  const responses = fields(one['responses']);
  return {
    method: method.toUpperCase(),
    path,
    room: text(tags[0]) || '—',
    summary: text(one['summary']),
    permission: text(one['x-permission']),
    parameters: (Array.isArray(one['parameters']) ? one['parameters'] : []).map(parameterOf),
    request: schemaOf(one['requestBody']),
    response: schemaOf(responses['200'] ?? responses['201'] ?? responses['202']),
  };
}

export function operationsOf(api: OpenApi | null): Operation[] {
  return Object.entries(api?.paths ?? {}).flatMap(([path, methods]) =>
    METHODS.filter((method) => method in methods).map((method) => operationOf(path, method, methods[method])),
  );
}
