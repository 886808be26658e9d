{{- define "trunkline.name" -}}
{{- if .Values.fullnameOverride }}{{ .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains "trunkline" .Release.Name }}{{ .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}{{ printf "%s-trunkline" .Release.Name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "trunkline.selector" -}}
app.kubernetes.io/name: trunkline
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "trunkline.labels" -}}
{{ include "trunkline.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/* A mapping in YAML, with the entries of a map in place of its own: list YAML MAP.
     Sprig's mergeOverwrite ignores false and 0. */}}
{{- define "trunkline.replaced" -}}
{{- $all := fromYaml (index . 0) }}
{{- range $key, $value := index . 1 }}
{{- $_ := set $all $key $value }}
{{- end }}
{{- toYaml $all }}
{{- end }}

{{/* Variables of a container: list OWN MORE. One name never occurs twice. */}}
{{- define "trunkline.variables" -}}
{{- $all := list }}
{{- $names := list }}
{{- range index . 1 }}{{ $names = append $names .name }}{{ end }}
{{- range index . 0 }}{{ if not (has .name $names) }}{{ $all = append $all . }}{{ end }}{{ end }}
{{- toYaml (concat $all (index . 1)) }}
{{- end }}

{{/* Whether the admin listener can be reached from outside the pod. */}}
{{- define "trunkline.adminIsExposed" -}}
{{- if or (eq .Values.mode "gateway") .Values.sidecar.exposeAdmin }}true{{ end }}
{{- end }}

{{/* Values that contradict each other. */}}
{{- define "trunkline.validate" -}}
{{- if regexMatch `(?m)^[ \t]*\[[ \t]*(server|admin)[ \t]*\]` .Values.config }}
{{- fail "config: the tables [server] and [admin] are set by the values server, ports, listenAddress, drainSeconds and drainDelaySeconds" }}
{{- end }}
{{- if .Values.ledger.enabled }}
{{- if ne .Values.mode "gateway" }}
{{- fail "ledger.enabled: only in mode gateway; give a sidecar a volume by extraVolumes, and ledger.path in config" }}
{{- end }}
{{- if or .Values.autoscaling.enabled (ne (int .Values.replicas) 1) }}
{{- fail "ledger.enabled: one process writes a ledger; set autoscaling.enabled to false and replicas to 1" }}
{{- end }}
{{- if regexMatch `(?m)^[ \t]*\[[ \t]*ledger[ \t]*\]` .Values.config }}
{{- fail "config: the table [ledger] is set by the values ledger" }}
{{- end }}
{{- end }}
{{- if and .Values.store.enabled (ne .Values.mode "gateway") }}
{{- fail "store.enabled: only in mode gateway; name the gateway's store in store.url or store.secretName" }}
{{- end }}
{{- if and .Values.store.enabled .Values.store.url }}
{{- fail "store: enabled is a Valkey of the chart's own, url is another one; set one of them" }}
{{- end }}
{{- if and .Values.store.url .Values.store.secretName }}
{{- fail "store: url and the entry `url` of secretName are both the store's; set one of them" }}
{{- end }}
{{- $own := list (int .Values.ports.proxy) (int .Values.ports.admin) }}
{{- if eq (index $own 0) (index $own 1) }}
{{- fail (printf "ports: proxy and admin are both %d" (index $own 0)) }}
{{- end }}
{{- if eq .Values.mode "sidecar" }}
{{- range prepend .Values.extraContainers .Values.sidecar.application }}
{{- $name := .name }}
{{- range .ports }}
{{- if has (int .containerPort) $own }}
{{- fail (printf "ports: the container %s of the same pod has the port %d; set ports.proxy or ports.admin to another" $name (int .containerPort)) }}
{{- end }}
{{- end }}
{{- end }}
{{- if and .Values.podMonitor.enabled (not .Values.sidecar.exposeAdmin) }}
{{- fail "podMonitor.enabled: Prometheus cannot reach a sidecar's admin listener without sidecar.exposeAdmin" }}
{{- end }}
{{- end }}
{{- end }}

{{/* trunkline.toml. Listeners and drain times are variables of the pod, since a changed
     file reaches running pods, whose ports and grace period do not change. */}}
{{- define "trunkline.config" -}}
{{- include "trunkline.validate" . }}
{{- trim .Values.config }}
{{ if eq .Values.mode "gateway" }}
{{- range $name, $key := .Values.clientKeys }}
[access.keys.{{ $name | quote }}]
{{- if kindIs "string" $key }}
sha256 = {{ $key | quote }}
{{- else }}
{{- range $field, $value := $key }}
{{ $field }} = {{ toJson $value }}
{{- end }}
{{- end }}
{{ end }}
{{- end }}
[server]
{{- range $key, $value := fromYaml (include "trunkline.replaced" (list (include "trunkline.server" .) .Values.server)) }}
{{ $key }} = {{ toJson $value }}
{{- end }}
{{- end }}

{{- define "trunkline.server" -}}
{{- if eq .Values.mode "gateway" }}
max_buffered: 192MiB
{{- else }}
workers: 1
page: false
max_connections: 256
max_in_flight: 128
max_body: 4MiB
max_buffered: 5MiB
{{- end }}
{{- end }}

{{- define "trunkline.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}{{ .Values.serviceAccount.name | default (include "trunkline.name" .) }}
{{- else }}{{ .Values.serviceAccount.name | default "default" }}
{{- end }}
{{- end }}

{{/* The Deployment's metadata: list ROOT NAME. */}}
{{- define "trunkline.deploymentMetadata" -}}
{{- $root := index . 0 -}}
name: {{ index . 1 }}
labels:
  {{- include "trunkline.labels" $root | nindent 2 }}
{{- with $root.Values.deploymentAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* The pod's labels and annotations. */}}
{{- define "trunkline.podMetadata" -}}
labels:
  {{- include "trunkline.replaced" (list (toYaml .Values.podLabels) (fromYaml (include "trunkline.labels" .))) | nindent 2 }}
{{- $prometheus := dict }}
{{- if and .Values.prometheusAnnotations (not .Values.podMonitor.enabled) (include "trunkline.adminIsExposed" .) }}
{{- $prometheus = dict "prometheus.io/scrape" "true" "prometheus.io/port" (.Values.ports.admin | toString) }}
{{- end }}
{{- with fromYaml (include "trunkline.replaced" (list (toYaml $prometheus) .Values.podAnnotations)) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Fields of the pod's spec that both modes take from the values. */}}
{{- define "trunkline.podFields" -}}
serviceAccountName: {{ include "trunkline.serviceAccountName" . }}
automountServiceAccountToken: {{ .Values.serviceAccount.automount }}
{{- range $field := list "imagePullSecrets" "priorityClassName" "runtimeClassName" "nodeSelector" "tolerations" "affinity" "hostAliases" "dnsPolicy" "dnsConfig" }}
{{- with index $.Values $field }}
{{ toYaml (dict $field .) }}
{{- end }}
{{- end }}
{{- end }}

{{/* An image's name: list IMAGE TAG, the tag for an image without one. */}}
{{- define "trunkline.image" -}}
{{- $image := index . 0 -}}
{{ ternary (printf "%s@%s" $image.repository $image.digest) (printf "%s:%s" $image.repository ($image.tag | default (index . 1))) (not (empty $image.digest)) | quote }}
{{- end }}

{{/* What the containers of both modes have in common. */}}
{{- define "trunkline.container" -}}
{{- $image := .Values.image -}}
name: trunkline
image: {{ include "trunkline.image" (list $image .Chart.AppVersion) }}
imagePullPolicy: {{ $image.pullPolicy }}
securityContext:
  {{- toYaml .Values.securityContext | nindent 2 }}
{{- with .Values.envFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
# Directories, not single files: subPath mounts are never updated.
volumeMounts:
  - {name: trunkline, mountPath: /etc/trunkline, readOnly: true}
  {{- if .Values.secretName }}
  - {name: trunkline-keys, mountPath: /run/secrets/trunkline, readOnly: true}
  {{- end }}
  {{- if include "trunkline.storeUrlIsMounted" . }}
  - {name: trunkline-store, mountPath: /run/secrets/trunkline-store, readOnly: true}
  {{- end }}
  {{- if .Values.ledger.enabled }}
  - {name: trunkline-ledger, mountPath: /var/lib/trunkline}
  {{- end }}
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "trunkline.gateway" -}}
{{- $variables := list
  (dict "name" "TRUNKLINE_SERVER__LISTEN" "value" (printf "%s:%d" .Values.listenAddress (int .Values.ports.proxy)))
  (dict "name" "TRUNKLINE_ADMIN__LISTEN" "value" (printf "%s:%d" .Values.listenAddress (int .Values.ports.admin)))
  (dict "name" "TRUNKLINE_SERVER__DRAIN_DELAY" "value" (printf "%ds" (int .Values.drainDelaySeconds)))
  (dict "name" "TRUNKLINE_SERVER__DRAIN_TIMEOUT" "value" (printf "%ds" (int .Values.drainSeconds)))
-}}
{{- if .Values.ledger.enabled }}
{{- $variables = concat $variables (list
  (dict "name" "TRUNKLINE_LEDGER__PATH" "value" "/var/lib/trunkline/usage.db")
  (dict "name" "TRUNKLINE_LEDGER__RETENTION_DAYS" "value" (.Values.ledger.retentionDays | toString))) }}
{{- end }}
{{- $variables = concat $variables (fromYamlArray (include "trunkline.storeVariables" .)) -}}
{{ include "trunkline.container" . }}
env:
  {{- include "trunkline.variables" (list $variables .Values.env) | nindent 2 }}
ports:
  - {name: http, containerPort: {{ .Values.ports.proxy }}}
  - {name: tl-admin, containerPort: {{ .Values.ports.admin }}}
resources:
  {{- toYaml .Values.resources | nindent 2 }}
startupProbe:
  httpGet: {path: /readyz, port: tl-admin}
  periodSeconds: 1
  failureThreshold: 30
readinessProbe:
  httpGet: {path: /readyz, port: tl-admin}
  periodSeconds: 5
  failureThreshold: 1
livenessProbe:
  httpGet: {path: /livez, port: tl-admin}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
{{- end }}

{{- define "trunkline.sidecar" -}}
{{- $adminAddress := ternary .Values.listenAddress "127.0.0.1" .Values.sidecar.exposeAdmin }}
{{- $variables := list
  (dict "name" "TRUNKLINE_SERVER__LISTEN" "value" (printf "127.0.0.1:%d" (int .Values.ports.proxy)))
  (dict "name" "TRUNKLINE_ADMIN__LISTEN" "value" (printf "%s:%d" $adminAddress (int .Values.ports.admin)))
  (dict "name" "TRUNKLINE_SERVER__DRAIN_TIMEOUT" "value" (printf "%ds" (int .Values.drainSeconds)))
-}}
{{- $variables = concat $variables (fromYamlArray (include "trunkline.storeVariables" .)) -}}
{{- $admin := printf "http://127.0.0.1:%d" (int .Values.ports.admin) -}}
{{ include "trunkline.container" . }}
restartPolicy: Always
env:
  {{- include "trunkline.variables" (list $variables .Values.env) | nindent 2 }}
{{- if .Values.sidecar.exposeAdmin }}
ports:
  - {name: tl-admin, containerPort: {{ .Values.ports.admin }}}
{{- end }}
resources:
  {{- toYaml .Values.sidecar.resources | nindent 2 }}
# The kubelet's HTTP probes cannot reach the pod's loopback. With --url, a probe does
# not depend on the files, which a bad edit may have broken.
startupProbe:
  exec: {command: [/usr/bin/trunkline, probe, --url, "{{ $admin }}/readyz"]}
  periodSeconds: 1
  timeoutSeconds: 5
  failureThreshold: 30
livenessProbe:
  exec: {command: [/usr/bin/trunkline, probe, --url, "{{ $admin }}/livez"]}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
{{- end }}

{{- define "trunkline.volumes" -}}
- name: trunkline
  configMap:
    name: {{ include "trunkline.name" . }}
{{- with .Values.secretName }}
- name: trunkline-keys
  secret:
    secretName: {{ . }}
    # Mounted into no other container. The pod's fsGroup belongs to the
    # application.
    defaultMode: 0444
{{- end }}
{{- if include "trunkline.storeUrlIsMounted" . }}
- name: trunkline-store
  secret:
    secretName: {{ .Values.store.secretName }}
    items: [{key: url, path: url}]
    defaultMode: 0444
{{- end }}
{{- if .Values.ledger.enabled }}
- name: trunkline-ledger
  persistentVolumeClaim:
    claimName: {{ .Values.ledger.existingClaim | default (printf "%s-ledger" (include "trunkline.name" .)) }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The store: Valkey, of the chart's own or another. */}}
{{- define "trunkline.storeName" -}}
{{ include "trunkline.name" . | trunc 57 | trimSuffix "-" }}-store
{{- end }}

{{/* None of these selects the gateway's pods, nor the reverse. */}}
{{- define "trunkline.storeSelector" -}}
app.kubernetes.io/name: trunkline-store
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "trunkline.storeLabels" -}}
{{ include "trunkline.storeSelector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "trunkline.storeUrlIsMounted" -}}
{{- if and .Values.store.secretName (not .Values.store.enabled) }}true{{ end }}
{{- end }}

{{- define "trunkline.storePassword" -}}
name: VALKEY_PASSWORD
valueFrom:
  secretKeyRef:
    name: {{ .Values.store.secretName | default (include "trunkline.storeName" .) }}
    key: password
{{- end }}

{{/* Variables by which the gateway finds the store. */}}
{{- define "trunkline.storeVariables" -}}
{{- if .Values.store.enabled }}
- {{- include "trunkline.storePassword" . | nindent 2 }}
- name: VALKEY_URL
  value: redis://:$(VALKEY_PASSWORD)@{{ include "trunkline.storeName" . }}:6379
- name: TRUNKLINE_STORE__URL_ENV
  value: VALKEY_URL
{{- else if .Values.store.secretName }}
- name: TRUNKLINE_STORE__URL_FILE
  value: /run/secrets/trunkline-store/url
{{- else if .Values.store.url }}
- name: TRUNKLINE_STORE__URL
  value: {{ .Values.store.url | quote }}
{{- else }}
[]
{{- end }}
{{- end }}

{{/* Valkey's container. */}}
{{- define "trunkline.store" -}}
name: valkey
image: {{ include "trunkline.image" (list .Values.store.image "") }}
imagePullPolicy: {{ .Values.store.image.pullPolicy }}
# noeviction: what was used must not be forgotten. The password comes by standard input,
# so that no argument shows it.
command:
  - sh
  - -c
  - |
    : "${VALKEY_PASSWORD:?the Secret has no password}"
    exec valkey-server --appendonly yes --save '' --maxmemory "$VALKEY_MEMORY" --maxmemory-policy noeviction - <<END
    requirepass $VALKEY_PASSWORD
    END
workingDir: /data
env:
  - {{- include "trunkline.storePassword" . | nindent 4 }}
  - {name: REDISCLI_AUTH, value: $(VALKEY_PASSWORD)}
  - {name: VALKEY_MEMORY, value: {{ .Values.store.maxMemory | quote }}}
ports:
  - {name: valkey, containerPort: 6379}
resources:
  {{- toYaml .Values.store.resources | nindent 2 }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
volumeMounts:
  - {name: data, mountPath: /data}
# Where it cannot be used, as while it loads its data, valkey-cli prints an error and exits
# with 0: enough to be alive.
startupProbe:
  exec: {command: [sh, -c, valkey-cli ping | grep -q PONG]}
  periodSeconds: 1
  timeoutSeconds: 5
  failureThreshold: 300
readinessProbe:
  exec: {command: [sh, -c, valkey-cli ping | grep -q PONG]}
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 2
livenessProbe:
  exec: {command: [valkey-cli, ping]}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
{{- end }}
