"""Holds rule files against the schemas made for them, by a validator that is not ours.

Usage: schema.py SCHEMAS LISTING. LISTING is a JSON list of [name, schema, "good" or "bad", content]; what is not so is printed.
"""

import json
import pathlib
import sys

import jsonschema

schemas = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in pathlib.Path(sys.argv[1]).glob("*.json")}
for schema in schemas.values():
    jsonschema.Draft202012Validator.check_schema(schema)
faults, looked_at = 0, 0
for name, schema, wanted, content in json.loads(pathlib.Path(sys.argv[2]).read_text(encoding="utf-8")):
    errors = list(jsonschema.Draft202012Validator(schemas[schema]).iter_errors(content))
    looked_at += 1
    if bool(errors) != (wanted == "bad"):
        faults += 1
        print(f"{name} is not {wanted}")
        for error in errors[:3]:
            print(f"  {'.'.join(map(str, error.absolute_path))}: {error.message[:300]}")
print(f"{len(schemas)} schemas, {looked_at} files, {faults} faults")
sys.exit(1 if faults else 0)
