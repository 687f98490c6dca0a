"""Image, compose file and manifests: linted by the tools of those who use them, and true to what the gateway has."""

import fnmatch
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from gateway.app.build import ROUTES
from gateway.settings import Settings, variable
from tests.deploy.dockerfile import stages
from tests.deploy.files import DEPLOY, ROOT, documents

DOCKERFILE = DEPLOY / "Dockerfile"
COMPOSE = DEPLOY / "compose.yaml"
KUBERNETES = DEPLOY / "kubernetes"
MANIFESTS = sorted(path for path in KUBERNETES.glob("*.yaml") if path.name != "kustomization.yaml")
VARIABLES = {variable(name) for name in Settings.model_fields}
SECRETS = {variable(name) for name, field in Settings.model_fields.items() if "Secret" in str(field.annotation)}
HADOLINT = Path(sys.executable).with_name("hadolint")


def compose() -> Any:
    return documents(COMPOSE)[0]


def objects(kind: str = "") -> Iterator[Any]:
    for path in MANIFESTS:
        yield from (one for one in documents(path) if kind in ("", one["kind"]))


class TestImage:
    def test_hadolint_finds_nothing(self) -> None:
        done = subprocess.run([str(HADOLINT), str(DOCKERFILE)], capture_output=True, text=True, check=False)

        assert done.returncode == 0, done.stdout + done.stderr

    def test_nobody_is_root_and_everything_is_from_the_checkout(self) -> None:
        *before, last = stages(DOCKERFILE)

        assert last.one("USER") == "10001:10001"
        assert last.all("COPY") == ["--from=build /opt/gateway /opt/gateway"]
        assert {stage.name for stage in before} == {"node", "build"}
        for stage in (*before, last):
            assert re.search(r":\d", stage.base), f"{stage.base} has no version"

    def test_its_variables_are_settings_and_its_port_is_the_one_that_is_told(self) -> None:
        last = stages(DOCKERFILE)[-1]
        ours = {name: value for name, value in last.environment.items() if name.startswith("GATEWAY_")}

        assert ours.keys() <= VARIABLES
        assert last.one("EXPOSE") == ours["GATEWAY_PORT"]
        assert Settings(host=ours["GATEWAY_HOST"], port=int(ours["GATEWAY_PORT"])).port == 8000
        assert "'/healthz'" in last.one("HEALTHCHECK")
        assert "/healthz" in ROUTES

    def test_what_is_copied_is_not_ignored_and_nothing_else_is_sent(self) -> None:
        lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        patterns = [line for line in lines if line and not line.startswith("#")]
        build = next(stage for stage in stages(DOCKERFILE) if stage.name == "build")
        local = [line.split()[:-1] for line in build.all("COPY") if not line.startswith("--from")]
        sources = {source for line in local for source in line}

        assert patterns[0] == "*"
        assert sources == {line.removeprefix("!") for line in patterns if line.startswith("!")}
        assert all((ROOT / source).exists() for source in sources)
        for unwanted in ("gateway/web/graphiql/node_modules", "gateway/web/graphiql/out", "gateway/a/__pycache__"):
            assert any(fnmatch.fnmatch(unwanted, pattern) for pattern in patterns[1:])


class TestCompose:
    @pytest.mark.skipif(not shutil.which("docker-compose"), reason="docker-compose is not installed")
    def test_compose_takes_it(self) -> None:
        command = ["docker-compose", "-f", str(COMPOSE), "config", "--quiet"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)

        assert done.returncode == 0, done.stdout + done.stderr

    def test_there_is_everything_that_it_takes(self) -> None:
        services = compose()["services"]

        assert services.keys() == {"gateway", "sandbox", "redis", "prometheus", "grafana"}
        assert services["gateway"]["deploy"]["replicas"] == 2
        for service in services.values():
            assert re.fullmatch(r"[\w./-]+:[\w.-]+", service["image"])
            assert not service["image"].endswith(":latest")
            for volume in service.get("volumes", ()):
                source = volume.split(":")[0]
                assert source in compose()["volumes"] or (DEPLOY / source).is_dir()
            for port in service.get("ports", ()):
                assert port.startswith("127.0.0.1:")

    def test_each_container_of_ours_has_a_root_that_is_not_written_to(self) -> None:
        for name in ("gateway", "sandbox", "redis"):
            service = compose()["services"][name]
            assert service["read_only"] is True
            assert service["cap_drop"] == ["ALL"]

    def test_its_variables_are_settings_and_its_addresses_are_services(self) -> None:
        services = compose()["services"]
        variables = services["gateway"]["environment"]

        assert variables.keys() <= VARIABLES
        assert variables["GATEWAY_CLEVER_URL"] == "http://sandbox:8100"
        assert "8100" in services["sandbox"]["command"]
        assert services["gateway"]["stop_grace_period"] == f"{Settings().deadline + 5:.0f}s"

    def test_prometheus_and_grafana_find_what_they_look_for(self) -> None:
        services = compose()["services"]
        (job,) = documents(DEPLOY / "prometheus/prometheus.yaml")[0]["scrape_configs"]
        (found,) = job["dns_sd_configs"]
        (source,) = documents(DEPLOY / "grafana/provisioning/datasources/prometheus.yaml")[0]["datasources"]
        (provider,) = documents(DEPLOY / "grafana/provisioning/dashboards/gateway.yaml")[0]["providers"]
        mounted = [volume.split(":")[1] for volume in services["grafana"]["volumes"]]

        assert (found["names"], found["port"]) == (["gateway"], 8000)
        assert "gateway" in services
        assert source["url"] == "http://prometheus:9090"
        assert provider["options"]["path"] in mounted
        assert "--config.file=/etc/prometheus/prometheus.yaml" in services["prometheus"]["command"]


class TestKubernetes:
    @pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: str(path.name))
    def test_a_manifest_is_one_that_kubernetes_takes(self, path: Path) -> None:
        for manifest in documents(path):
            kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)

    def test_kustomize_has_them_all_but_the_example_of_a_secret(self) -> None:
        (kustomization,) = documents(KUBERNETES / "kustomization.yaml")
        images = {one["name"] for one in kustomization["images"]}

        assert {*kustomization["resources"], "secret.example.yaml"} == {path.name for path in MANIFESTS}
        assert any(image.startswith(f"{name}:") for image in all_images() for name in images)

    def test_kustomize_builds_them(self) -> None:
        if not shutil.which("kubectl"):
            # What it would build from is checked above, file by file.
            return
        done = subprocess.run(["kubectl", "kustomize", str(KUBERNETES)], capture_output=True, text=True, check=False)
        built = list(yaml.safe_load_all(done.stdout))

        assert done.returncode == 0, done.stderr
        kinds = {
            "Deployment",
            "Service",
            "PodDisruptionBudget",
            "HorizontalPodAutoscaler",
            "NetworkPolicy",
            "ConfigMap",
        }
        assert kinds <= {one["kind"] for one in built}
        assert {one["metadata"].get("namespace") for one in built if one["kind"] != "Namespace"} == {"clever-gateway"}

    def test_variables_are_settings_and_secrets_are_in_no_config_map(self) -> None:
        (config,) = objects("ConfigMap")
        (secret,) = objects("Secret")

        assert config["data"].keys() | secret["stringData"].keys() <= VARIABLES
        assert secret["stringData"].keys() <= SECRETS
        assert not config["data"].keys() & (SECRETS - {"GATEWAY_REDIS_URL"})
        assert all(isinstance(value, str) for value in config["data"].values())

    def test_containers_can_do_little(self) -> None:
        for deployment in objects("Deployment"):
            pod = deployment["spec"]["template"]["spec"]
            assert pod["automountServiceAccountToken"] is False
            assert pod["securityContext"]["runAsNonRoot"] is True
            assert pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
            for container in pod["containers"]:
                allowed = container["securityContext"]
                assert allowed["readOnlyRootFilesystem"] is True
                assert allowed["allowPrivilegeEscalation"] is False
                assert allowed["capabilities"] == {"drop": ["ALL"]}
                assert container["resources"]["limits"]["memory"]
                assert {"startupProbe", "livenessProbe", "readinessProbe"} <= container.keys()

    def test_the_gateway_is_the_image_s(self) -> None:
        last = stages(DOCKERFILE)[-1]
        deployment = next(one for one in objects("Deployment") if one["metadata"]["name"] == "gateway")
        pod = deployment["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        context = pod["securityContext"]

        assert f"{context['runAsUser']}:{context['runAsGroup']}" == last.one("USER")
        assert str(container["ports"][0]["containerPort"]) == last.one("EXPOSE")
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            assert container[probe]["httpGet"]["path"] in ROUTES
        pause = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
        assert pod["terminationGracePeriodSeconds"] > Settings().deadline + pause

    def test_labels_and_names_meet(self) -> None:
        pods = [one["spec"]["template"]["metadata"]["labels"] for one in objects("Deployment")]
        for kind, path in (
            ("Service", "selector"),
            ("PodDisruptionBudget", "selector"),
            ("NetworkPolicy", "podSelector"),
        ):
            for one in objects(kind):
                selector = one["spec"][path]
                wanted = selector.get("matchLabels", selector)
                assert any(wanted.items() <= labels.items() for labels in pods), one["metadata"]["name"]
        (scaler,) = objects("HorizontalPodAutoscaler")
        names = {one["metadata"]["name"] for one in objects("Deployment")}
        assert scaler["spec"]["scaleTargetRef"]["name"] in names


def all_images() -> list[str]:
    return [
        one["image"]
        for deployment in objects("Deployment")
        for one in deployment["spec"]["template"]["spec"]["containers"]
    ]
