"""``profile-kubernetes``: servers as pods, on Kubernetes and OpenShift.

KubeSpawner underneath. The choice is judged before it starts (its profile_list is not used), a quota's refusal is a
clear text instead of a 500, a pod that cannot start tells why at once, progress is in words of the person's language,
and a pod on a machine that is gone is force-deleted only where its home can be mounted elsewhere.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any, ClassVar
from urllib.parse import urlsplit

from kubernetes_asyncio.client import V1DeleteOptions
from kubernetes_asyncio.client.rest import ApiException
from kubespawner import KubeSpawner
from traitlets import Bool, Dict, Unicode, default

from ..contracts.text import Text
from ..profiles.resolve import Resolved
from ..profiles.resources import Capabilities, ProfileResources
from . import kubernetes_objects as objects
from .base import ProfileMixin
from .homes_made import MadeHomesMixin
from .refusal import StartRefused

LOG_LINES = 12
LOOK_SECONDS = 0.5


class ProfileKubernetesSpawner(MadeHomesMixin, ProfileMixin, KubeSpawner):
    """Profiles on Kubernetes. Sets nothing that OpenShift's restricted-v2 refuses, unless a profile asks for it."""

    backend: ClassVar[str] = "kubernetes"

    home = Dict(
        {"target": "/home/jovyan"},
        help="""
        The person's home: ``target``, and ``claim`` with ``sub_path`` for a folder of one shared claim.

        Without ``claim`` each person gets a claim of her own, named and made as KubeSpawner's ``pvc_name_template``,
        ``storage_class`` and ``storage_capacity`` say: claims of a stock hub go on. An empty mapping mounts nothing.
        Example: ``{"claim": "homes", "sub_path": "{safe_username}", "target": "/home/jovyan"}``.
        """,
    ).tag(config=True)

    home_moves = Bool(
        False,
        help="""
        Whether a home can be mounted on another machine while the one that had it is gone (ReadWriteMany).

        Only then is a server whose machine does not answer force-deleted, so that its owner can start again;
        otherwise two machines might write one home.
        """,
    ).tag(config=True)

    cvmfs_claim = Unicode(
        "",
        help="""
        Claim of the cvmfs-csi driver.

        Empty: the machines' own /cvmfs, by hostPath, which OpenShift does not allow.
        """,
    ).tag(config=True)

    node_classes = Dict(
        help="""
        For each ``node_class`` that profiles name: ``node_selector`` and ``tolerations``.

        Example: ``{"big-memory": {"node_selector": {"memory": "big"}}}``.
        """,
    ).tag(config=True)

    gpu_resources = Dict(
        help="""
        For GPU types: ``resource`` (else nvidia.com/gpu), ``node_selector`` and ``tolerations``.

        Example: ``{"a100-1g.5gb": {"resource": "nvidia.com/mig-1g.5gb"}}``.
        """,
    ).tag(config=True)

    @default("cmd")
    def _default_cmd(self) -> list[str]:
        return ["jupyterhub-singleuser"]

    @default("profile_list")
    def _default_profile_list(self) -> list[Any]:
        return []

    @default("storage_pvc_ensure")
    def _default_storage_pvc_ensure(self) -> bool:
        return bool(self.home) and not self.home.get("claim")

    @default("container_security_context")
    def _default_container_security_context(self) -> dict[str, Any]:
        return {"capabilities": {"drop": ["ALL"]}}

    def capabilities(self) -> Capabilities:
        """Kubernetes holds servers to their limits and places them by label."""
        return Capabilities(
            backend=self.backend,
            limits="enforced",
            gpus=dict(self.gpus),
            node_classes=frozenset(self.node_classes),
            images=True,
            site=self.site or None,
        )

    def home_names(self) -> dict[str, str]:
        """Return what stands for ``{places}`` in a home's name; ``{safe_username}`` as KubeSpawner writes it."""
        return {**super().home_names(), "safe_username": str(self._expand_user_properties("{safe_username}"))}

    # -- from the profile to this start -----------------------------------------------------------------------------

    async def load_user_options(self) -> None:
        """Do nothing: the choice was judged and applied before, by `resolve_options`."""

    def apply(self, resolved: Resolved) -> None:
        """Set image, GPUs, placement, volumes and the profile's own Kubernetes settings."""
        super().apply(resolved)
        profile, wanted = resolved.profile, resolved.resources
        if resolved.image:
            self.replace("image", resolved.image)
        gpu = self.gpu_resources.get(wanted.gpu_type or "", {})
        limits, guarantees = objects.extra_resources(wanted, gpu.get("resource") or objects.GPU_RESOURCE)
        self._add("extra_resource_limits", limits)
        self._add("extra_resource_guarantees", guarantees)
        for place in (self.node_classes.get(profile.node_class or "", {}), gpu if wanted.gpu else {}):
            self._add("node_selector", place.get("node_selector") or {})
            self._append("tolerations", place.get("tolerations") or [])
        self._mount(resolved, wanted)
        # a server that shut itself down stays down, and one that fails says so instead of failing again
        self._add("extra_pod_config", {"restartPolicy": "Never"})
        for trait, value in profile.kubernetes.items():
            if not self.has_trait(trait):
                raise StartRefused(
                    self.words(Text("This profile has a setting that this site does not know: {name}.", name=trait)),
                    reason="profile",
                    status_code=500,
                )
            current = self.base(trait)
            both = {**current, **value} if isinstance(current, dict) and isinstance(value, dict) else value
            self.replace(trait, both)

    def _mount(self, resolved: Resolved, wanted: ProfileResources) -> None:
        pairs = [objects.home_volume(self.home)] if self.home else []
        for number, volume in enumerate(resolved.profile.volumes):
            pairs.append(objects.volume_of(volume, f"profile-{number}", self.cvmfs_claim))
        if wanted.shm:
            pairs.append(objects.shm(wanted.shm))
        self._append("volumes", [volume for volume, _ in pairs])
        self._append("volume_mounts", [mount for _, mount in pairs])

    def _add(self, trait: str, entries: dict[str, Any]) -> None:
        if entries:
            self.replace(trait, {**self.base(trait), **entries})

    def _append(self, trait: str, entries: list[Any]) -> None:
        if entries:
            current = self.base(trait)
            values = list(current.values()) if isinstance(current, dict) else list(current)
            self.replace(trait, [*values, *entries])

    def _build_common_labels(self, extra_labels: dict[str, str]) -> dict[str, str]:
        return {**super()._build_common_labels(extra_labels), **self.labels()}

    # -- starting ---------------------------------------------------------------------------------------------------

    async def _start(self) -> Any:
        """Start the pod; end at once, with the cluster's reason, where it cannot start."""
        starting = asyncio.create_task(super()._start())
        watching = asyncio.create_task(self._watch_the_pod())
        try:
            await asyncio.wait({starting, watching}, return_when=asyncio.FIRST_COMPLETED)
            if watching.done():
                watching.result()
            return await starting
        except ApiException as error:
            raise self._refused_by_cluster(error) from None
        finally:
            for task in (starting, watching):
                task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await starting

    async def _watch_the_pod(self) -> None:
        """Tell the pod's events in words. Raises `StartRefused` when it cannot start, or when the time is over."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + max(1, self.start_timeout - 2)
        told: set[str] = set()
        last = objects.Word(Text("A machine is being looked for."), 20)
        self.say(last.text, last.percent)
        while True:
            for event in self._events_of_the_pod():
                word = objects.word_of(event)
                if word is None or event["metadata"]["uid"] in told:
                    continue
                told.add(event["metadata"]["uid"])
                if word.text != last.text:
                    self.say(word.text, word.percent)
                last = word
            failure = objects.failure_of(self._pod)
            if failure is not None:
                raise self._failed_start(failure.text, await self._last_words(failure.engine))
            if loop.time() > deadline:
                raise self._failed_start(last.text, last.engine, reason="timeout")
            await asyncio.sleep(LOOK_SECONDS)

    async def until_it_answers(self, where: Any) -> None:
        """Wait until the server listens, as long as its pod runs: one that ends meanwhile tells why, at once."""
        address = urlsplit(where if isinstance(where, str) else f"http://{where[0]}:{where[1]}")
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.http_timeout
        while loop.time() < deadline:
            failure = objects.failure_of(self._pod)
            if failure is not None:
                raise self._failed_start(failure.text, await self._last_words(failure.engine))
            try:
                async with asyncio.timeout(2):
                    _, writer = await asyncio.open_connection(address.hostname, address.port)
            except (OSError, TimeoutError):
                await asyncio.sleep(LOOK_SECONDS)
            else:
                writer.close()
                return

    def _events_of_the_pod(self) -> list[dict[str, Any]]:
        """Return the events of this very pod: one of the same name may have been there a moment ago."""
        pod = self._pod
        if pod is None:
            return []
        uid = pod["metadata"]["uid"]
        return [event for event in self.events if (event.get("involvedObject") or {}).get("uid") == uid]

    @property
    def _pod(self) -> dict[str, Any] | None:
        reflector = self.pod_reflector
        return reflector.pods.get(f"{self.namespace}/{self.pod_name}") if reflector else None

    def _failed_start(self, text: Text, details: str = "", *, reason: str = "engine") -> StartRefused:
        return StartRefused(
            self.words(text), reason=reason, status_code=500, log_message=f"{text}\n{details}", details=details
        )

    def _refused_by_cluster(self, error: ApiException) -> StartRefused:
        """Return what the API said, as a text for the person: a quota's refusal is a 403 of it."""
        try:
            message = str(json.loads(error.body or "{}").get("message") or error.reason)
        except (ValueError, AttributeError):
            message = str(error.reason)
        quota = error.status == 403 and "exceeded quota" in message
        text = (
            Text("The cluster's quota has no room for this server at the moment.")
            if quota
            else Text("The cluster did not take this server.")
        )
        return StartRefused(
            self.words(text),
            reason="cluster-quota" if quota else "engine",
            status_code=409 if quota else 500,
            log_message=f"{text} {message}",
            details=message,
        )

    async def _last_words(self, engine: str) -> str:
        """Return the cluster's own words and the server's last lines."""
        try:
            logs = await self.api.read_namespaced_pod_log(
                self.pod_name, self.namespace, container="notebook", tail_lines=LOG_LINES
            )
        except ApiException:
            logs = ""
        return "\n".join([*([engine] if engine else []), *str(logs).strip().splitlines()[-LOG_LINES:]])

    # -- the end ----------------------------------------------------------------------------------------------------

    async def stop(self, now: bool = False) -> None:
        """Stop the pod. Where its machine does not answer it is force-deleted, if its home can move."""
        try:
            await super().stop(now)
        except TimeoutError:
            if not self.home_moves:
                raise
            self.log.warning("The machine of %s does not answer: its pod is removed by force", self._log_name)
            with suppress(ApiException):
                await self.api.delete_namespaced_pod(
                    self.pod_name, self.namespace, body=V1DeleteOptions(grace_period_seconds=0)
                )
