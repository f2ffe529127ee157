#!/usr/bin/env bash
# Checks template.yaml with the real SAM CLI and cfn-lint. Needs Python 3 and, the
# first time, a package index; no AWS account.
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
# lambdahost always streams.
echo "every route streams"
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
    for path, methods in api["Properties"]["Body"]["paths"].items():
        for method, route in methods.items():
            integration = route["x-amazon-apigateway-integration"]
            uri = str(integration["uri"])
            if integration.get("responseTransferMode") != "STREAM" or "response-streaming-invocations" not in uri:
                sys.exit(f"{method} {path} does not stream")
            print(" ", method.upper(), path)
            routes += 1
if not routes:
    sys.exit("no route found")
PYTHON
echo "template.yaml is clean ($want)"
