{{- define "trunkline.name" -}}
{{- if contains "trunkline" .Release.Name }}{{ .Release.Name | trunc 63 | trimSuffix "-" }}
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

{{/* The pod's labels and annotations. */}}
{{- define "trunkline.podMetadata" -}}
labels:
  {{- include "trunkline.labels" . | nindent 2 }}
  {{- with .Values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- if not .Values.podMonitor.enabled }}
annotations:
  prometheus.io/scrape: "true"
  prometheus.io/port: "8081"
{{- end }}
{{- end }}

{{/* The container of both modes. */}}
{{- define "trunkline.container" -}}
name: trunkline
image: {{ printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
  seccompProfile:
    type: RuntimeDefault
startupProbe:
  httpGet: {path: /readyz, port: tl-admin}
  periodSeconds: 1
  failureThreshold: 30
livenessProbe:
  httpGet: {path: /livez, port: tl-admin}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
# Directories, not single files: subPath mounts are never updated.
volumeMounts:
  - {name: trunkline, mountPath: /etc/trunkline, readOnly: true}
  {{- if .Values.secretName }}
  - {name: trunkline-keys, mountPath: /run/secrets/trunkline, readOnly: true}
  {{- end }}
{{- end }}

{{- define "trunkline.sidecar" -}}
{{ include "trunkline.container" . }}
restartPolicy: Always
env:
  # The pod's loopback only; the kubelet and Prometheus connect from outside.
  - {name: TRUNKLINE_SERVER__LISTEN, value: "127.0.0.1:8080"}
  - {name: TRUNKLINE_ADMIN__LISTEN, value: "0.0.0.0:8081"}
  - {name: TRUNKLINE_SERVER__DRAIN_TIMEOUT, value: "{{ .Values.drainSeconds }}s"}
  # Sized for a tenth of a core and 32 MiB.
  - {name: TRUNKLINE_SERVER__WORKERS, value: "1"}
  - {name: TRUNKLINE_SERVER__PAGE, value: "false"}
  - {name: TRUNKLINE_SERVER__MAX_CONNECTIONS, value: "256"}
  - {name: TRUNKLINE_SERVER__MAX_IN_FLIGHT, value: "128"}
  - {name: TRUNKLINE_SERVER__MAX_BODY, value: "4MiB"}
  - {name: TRUNKLINE_SERVER__MAX_BUFFERED, value: "8MiB"}
ports:
  - {name: tl-admin, containerPort: 8081}
resources:
  {{- toYaml .Values.sidecar.resources | nindent 2 }}
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
{{- end }}

{{- define "trunkline.placement" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
