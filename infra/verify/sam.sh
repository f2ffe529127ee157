#!/usr/bin/env bash
# Checks template.yaml with the real SAM CLI and cfn-lint, builds every function as
# it is deployed, and runs chat under AWS's own Runtime Interface Emulator. Needs Go,
# Python 3 and, the first time, a package index; no AWS account.
set -euo pipefail

sam_version=1.170.0
cfn_lint_version=1.58.0

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
venv=.peers/sam-venv
installed=$venv/.installed
want="aws-sam-cli==$sam_version cfn-lint==$cfn_lint_version"

# The stamp is written last, so a venv that was left half made is made again.
if [[ "$(cat "$installed" 2>/dev/null)" != "$want" ]]; then
  rm -rf "$venv"
  python3 -m venv "$venv"
  # shellcheck disable=SC2086 # two words on purpose
  "$venv/bin/pip" install --quiet --disable-pip-version-check $want
  echo "$want" >"$installed"
fi

# Nobody's account is asked and nobody is told: the credentials are dummies, and
# without these settings sam waits for services that are not there.
export AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE
export AWS_SECRET_ACCESS_KEY=dummy
unset AWS_SESSION_TOKEN AWS_PROFILE
export AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1
export AWS_EC2_METADATA_DISABLED=true AWS_MAX_ATTEMPTS=1
export SAM_CLI_TELEMETRY=0

echo "sam validate --lint"
"$venv/bin/sam" validate --lint --template template.yaml
echo "cfn-lint template.yaml"
"$venv/bin/cfn-lint" --regions us-east-1 eu-central-1 --template template.yaml

# A route that lost its ResponseTransferMode is still valid, and answers 502:
# lambdahost always streams. One that lost its authorizer refuses everybody, and one
# without an API key is not counted; preflights and the operator's routes have neither.
echo "every route streams, and is authorized"
"$venv/bin/python" - <<'PYTHON'
import sys
from samcli.yamlhelper import yaml_parse
from samtranslator.translator.transform import transform

class NoManagedPolicies:
    def load(self):
        return {}

template = yaml_parse(open("template.yaml").read())
for resource in template["Resources"].values():
    if resource["Type"] == "AWS::Serverless::Function":
        resource["Properties"]["CodeUri"] = "s3://bucket/key"  # what sam package puts there
resources = transform(template, {}, NoManagedPolicies())["Resources"]
routes = 0
for api in (r for r in resources.values() if r["Type"] == "AWS::ApiGateway::RestApi"):
    authorizer = api["Properties"]["Body"]["securityDefinitions"]["Credentials"]["x-amazon-apigateway-authorizer"]
    if authorizer["type"] != "request" or authorizer["authorizerResultTtlInSeconds"] > 30 or api["Properties"]["ApiKeySourceType"] != "AUTHORIZER":
        sys.exit(f"the authorizer is {authorizer}")
    for path, methods in api["Properties"]["Body"]["paths"].items():
        for method, route in methods.items():
            integration = route["x-amazon-apigateway-integration"]
            uri = str(integration["uri"])
            if integration.get("responseTransferMode") != "STREAM" or "response-streaming-invocations" not in uri:
                sys.exit(f"{method} {path} does not stream")
            needs = {name for entry in route.get("security") or [] for name in entry}
            if needs != (set() if method == "options" or path.startswith("/admin/") else {"Credentials", "api_key"}):
                sys.exit(f"{method} {path} asks for {needs}")
            print(" ", method.upper(), path)
            routes += 1
if not routes:
    sys.exit("no route found")
PYTHON

echo "sam build"
mkdir -p .aws-sam
if ! "$venv/bin/sam" build --template template.yaml --build-dir .aws-sam/build >.aws-sam/build.log 2>&1; then
  cat .aws-sam/build.log
  exit 1
fi

# A binary that needs a loader or is for another machine starts nowhere; a large one
# starts late. The zip is made as sam package makes it.
echo "every bootstrap is a static arm64 ELF, its zip at most 8 MB"
failed=0
"$venv/bin/python" - <<'PYTHON' || failed=1
import io, os, pathlib, struct, sys, zipfile

MAX = 8 << 20
AARCH64, INTERP, DYNAMIC = 183, 3, 2

def wrong(elf):
    if elf[:6] != b"\x7fELF\x02\x01":
        return "no 64-bit little-endian ELF"
    if struct.unpack_from("<H", elf, 18)[0] != AARCH64:
        return "not for arm64"
    at, = struct.unpack_from("<Q", elf, 32)
    size, count = struct.unpack_from("<HH", elf, 54)
    kinds = {struct.unpack_from("<I", elf, at + i * size)[0] for i in range(count)}
    return "not static" if kinds & {INTERP, DYNAMIC} else None

failed = False
functions = [d for d in sorted(pathlib.Path(".aws-sam/build").iterdir()) if d.is_dir()]
for folder in functions:
    if [f.name for f in folder.iterdir()] != ["bootstrap"]:
        sys.exit(f"{folder} holds more, or less, than a bootstrap")
    bootstrap = folder / "bootstrap"
    if not os.access(bootstrap, os.X_OK):
        sys.exit(f"{bootstrap} may not be run")
    elf = bootstrap.read_bytes()
    if (why := wrong(elf)):
        sys.exit(f"{bootstrap}: {why}")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("bootstrap", elf)
    size = packed.tell()
    print(f"  {folder.name}: {len(elf) / (1 << 20):.1f} MB, zipped {size / (1 << 20):.1f} MB")
    if size > MAX:
        print(f"{folder.name}: the zip has {size} bytes, {MAX} at most")
        failed = True
if not functions:
    sys.exit("sam build made nothing")
sys.exit(failed)
PYTHON

case $(uname -s)-$(uname -m) in
Linux-x86_64) rie=x86_64 ;;
Linux-aarch64) rie=arm64 ;;
*) rie= ;;
esac
if [[ -n $rie ]]; then
  echo "chat answers under the Runtime Interface Emulator"
  SWITCHBOARD_RIE=$("$venv/bin/python" -c 'import pathlib, samcli; print(pathlib.Path(samcli.__file__).parent / "local/rapid")')/aws-lambda-rie-$rie
  export SWITCHBOARD_RIE
  go test -count=1 -run '^TestRIE$' ./functions/chat
else
  echo "the emulator runs on Linux alone: chat was not run under it"
fi
if [[ $failed -ne 0 ]]; then exit 1; fi
echo "template.yaml is clean ($want)"
