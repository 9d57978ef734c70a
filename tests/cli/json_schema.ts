/**
 * As much of JSON Schema (2020-12) as the project's own schema uses. A keyword that it does not know is an
 * error, not passed over.
 */

type Schema = Record<string, unknown>;

const KNOWN = [
  "$schema",
  "$defs",
  "$ref",
  "title",
  "description",
  "type",
  "const",
  "enum",
  "required",
  "properties",
  "additionalProperties",
  "items",
];

function typeOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  return typeof value;
}

/** Everything at which `value` is not what `schema` says; empty: valid. */
export function schemaViolations(value: unknown, schema: Schema, root = schema, path = "report"): string[] {
  const strange = Object.keys(schema).find((key) => !KNOWN.includes(key));
  if (strange) throw new Error(`the schema uses "${strange}", which this validator does not know`);
  const found: string[] = [];
  if (typeof schema.$ref === "string") {
    const target = (root.$defs as Record<string, Schema>)[schema.$ref.replace("#/$defs/", "")];
    if (!target) throw new Error(`the schema has no ${schema.$ref}`);
    found.push(...schemaViolations(value, target, root, path));
  }
  const type = typeOf(value);
  if (schema.type !== undefined) {
    const fits = [schema.type].flat().some((t) => t === type || (t === "integer" && Number.isInteger(value)));
    if (!fits) return [...found, `${path} is ${type}; expected ${[schema.type].flat().join(" or ")}`];
  }
  if ("const" in schema && value !== schema.const) found.push(`${path} is not ${schema.const}`);
  if (schema.enum && !(schema.enum as unknown[]).includes(value)) {
    found.push(`${path} is not of ${schema.enum}`);
  }
  if (type === "array" && schema.items) {
    (value as unknown[]).forEach((item, i) =>
      found.push(...schemaViolations(item, schema.items as Schema, root, `${path}[${i}]`))
    );
  }
  if (type === "object") {
    const record = value as Record<string, unknown>;
    const properties = (schema.properties ?? {}) as Record<string, Schema | boolean>;
    for (const name of (schema.required ?? []) as string[]) {
      if (!(name in record)) found.push(`${path} lacks ${name}`);
    }
    for (const [name, item] of Object.entries(record)) {
      const own = properties[name] ?? schema.additionalProperties as Schema | boolean | undefined;
      if (own === false) found.push(`${path} has ${name}, which is not in the schema`);
      else if (own) found.push(...schemaViolations(item, own as Schema, root, `${path}.${name}`));
    }
  }
  return found;
}
