"""What Kubernetes and Compose call the fields that deploy/ uses, so that a misspelt one is found without a cluster.

Written after the API reference of Kubernetes 1.33 and the Compose specification; only the kinds that deploy/ holds. A
field maps to the kind of what is under it, `None` where that is a value, a free mapping, or not used here.
"""

from collections.abc import Iterator
from typing import Any, Final

Kind = dict[str, str | None]


def _plain(names: str, **kinds: str) -> Kind:
    return {**dict.fromkeys(names.split()), **kinds}


_TOP: Final = "apiVersion kind"
_POD: Final = (
    "activeDeadlineSeconds automountServiceAccountToken dnsConfig dnsPolicy enableServiceLinks hostAliases hostIPC "
    "hostNetwork hostPID hostUsers hostname imagePullSecrets nodeName nodeSelector os overhead preemptionPolicy "
    "priority priorityClassName readinessGates restartPolicy runtimeClassName schedulerName serviceAccountName "
    "subdomain terminationGracePeriodSeconds tolerations topologySpreadConstraints affinity"
)
KINDS: Final[dict[str, Kind]] = {
    "Namespace": _plain(f"{_TOP} spec", metadata="Meta"),
    "ConfigMap": _plain(f"{_TOP} data binaryData immutable", metadata="Meta"),
    "ServiceAccount": _plain(f"{_TOP} automountServiceAccountToken imagePullSecrets", metadata="Meta"),
    "Service": _plain(_TOP, metadata="Meta", spec="ServiceSpec"),
    "PersistentVolumeClaim": _plain(_TOP, metadata="Meta", spec="Claim"),
    "StatefulSet": _plain(_TOP, metadata="Meta", spec="StatefulSetSpec"),
    "CronJob": _plain(_TOP, metadata="Meta", spec="CronJobSpec"),
    "NetworkPolicy": _plain(_TOP, metadata="Meta", spec="NetworkPolicySpec"),
    "PodDisruptionBudget": _plain(_TOP, metadata="Meta", spec="Budget"),
    "Meta": _plain("name namespace labels annotations generateName finalizers"),
    "Budget": _plain("minAvailable maxUnavailable unhealthyPodEvictionPolicy", selector="Selector"),
    "Selector": _plain("matchLabels matchExpressions"),
    "ServiceSpec": _plain(
        "type selector clusterIP externalTrafficPolicy internalTrafficPolicy sessionAffinity loadBalancerClass "
        "publishNotReadyAddresses ipFamilies ipFamilyPolicy",
        ports="ServicePort",
    ),
    "ServicePort": _plain("name port targetPort nodePort protocol appProtocol"),
    "Claim": _plain("accessModes storageClassName volumeMode volumeName", resources="Resources", selector="Selector"),
    "Resources": _plain("limits requests claims"),
    "StatefulSetSpec": _plain(
        "replicas serviceName podManagementPolicy revisionHistoryLimit minReadySeconds updateStrategy ordinals "
        "persistentVolumeClaimRetentionPolicy",
        selector="Selector",
        template="Template",
        volumeClaimTemplates="PersistentVolumeClaim",
    ),
    "CronJobSpec": _plain(
        "schedule timeZone concurrencyPolicy startingDeadlineSeconds successfulJobsHistoryLimit failedJobsHistoryLimit "
        "suspend",
        jobTemplate="JobTemplate",
    ),
    "JobTemplate": _plain("", metadata="Meta", spec="JobSpec"),
    "JobSpec": _plain(
        "activeDeadlineSeconds backoffLimit completions parallelism ttlSecondsAfterFinished podFailurePolicy suspend",
        template="Template",
    ),
    "Template": _plain("", metadata="Meta", spec="Pod"),
    "Pod": _plain(
        _POD, containers="Container", initContainers="Container", volumes="Volume", securityContext="PodSecurity"
    ),
    "PodSecurity": _plain(
        "fsGroup fsGroupChangePolicy runAsGroup runAsNonRoot runAsUser seccompProfile supplementalGroups sysctls "
        "appArmorProfile seLinuxOptions"
    ),
    "Container": _plain(
        "name image imagePullPolicy command args workingDir stdin tty terminationMessagePath terminationMessagePolicy "
        "restartPolicy env envFrom volumeDevices",
        ports="ContainerPort",
        volumeMounts="Mount",
        resources="Resources",
        securityContext="Security",
        startupProbe="Probe",
        readinessProbe="Probe",
        livenessProbe="Probe",
        lifecycle="Lifecycle",
    ),
    "ContainerPort": _plain("name containerPort hostPort hostIP protocol"),
    "Mount": _plain("name mountPath subPath subPathExpr readOnly recursiveReadOnly mountPropagation"),
    "Security": _plain(
        "allowPrivilegeEscalation capabilities privileged procMount readOnlyRootFilesystem runAsGroup runAsNonRoot "
        "runAsUser seccompProfile appArmorProfile seLinuxOptions"
    ),
    "Probe": _plain(
        "exec grpc tcpSocket initialDelaySeconds periodSeconds timeoutSeconds successThreshold failureThreshold "
        "terminationGracePeriodSeconds",
        httpGet="HttpGet",
    ),
    "HttpGet": _plain("path port host scheme httpHeaders"),
    "Lifecycle": _plain("stopSignal", preStop="Handler", postStart="Handler"),
    "Handler": _plain("exec sleep tcpSocket", httpGet="HttpGet"),
    "Volume": _plain("name configMap emptyDir hostPath persistentVolumeClaim projected secret downwardAPI csi nfs"),
    "NetworkPolicySpec": _plain("policyTypes", podSelector="Selector", ingress="Ingress", egress="Egress"),
    "Ingress": _plain("", **{"from": "Peer", "ports": "PolicyPort"}),
    "Egress": _plain("", to="Peer", ports="PolicyPort"),
    "Peer": _plain("", podSelector="Selector", namespaceSelector="Selector", ipBlock="Block"),
    "Block": {"cidr": None, "except": None},
    "PolicyPort": _plain("port endPort protocol"),
    "Composition": _plain("name include networks volumes configs secrets services"),
    "Service of Compose": _plain(
        "build cap_add cap_drop command container_name depends_on deploy devices dns entrypoint env_file environment "
        "expose extra_hosts healthcheck hostname image init labels logging networks pids_limit ports profiles "
        "read_only restart secrets security_opt shm_size stop_grace_period stop_signal sysctls tmpfs ulimits user "
        "volumes working_dir configs mem_limit cpus gpus"
    ),
}


def unknown(node: Any, kind: str, place: str = "") -> Iterator[str]:
    """The fields of `node`, which is of `kind`, that it does not have, by their place."""
    if isinstance(node, list):
        for number, item in enumerate(node):
            yield from unknown(item, kind, f"{place}[{number}]")
        return
    for name, value in (node or {}).items():
        if name not in KINDS[kind]:
            yield f"{place}.{name}".lstrip(".")
        elif (inner := KINDS[kind][name]) is not None:
            yield from unknown(value, inner, f"{place}.{name}")
