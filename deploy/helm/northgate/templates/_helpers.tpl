{{- define "northgate.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name }}{{ else }}{{ .Release.Name }}-{{ .Chart.Name }}{{ end }}
{{- end }}

{{- define "northgate.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "northgate.labels" -}}
{{ include "northgate.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{/* Whether nodes share a database. A volume belongs to one node. */}}
{{- define "northgate.isShared" -}}
{{- if .Values.database.secret }}yes{{ end }}
{{- end }}

{{- define "northgate.replicas" -}}
{{- if include "northgate.isShared" . }}{{ .Values.replicas }}{{ else }}1{{ end }}
{{- end }}

{{/* What the pods of both workloads are. */}}
{{- define "northgate.pod" -}}
metadata:
  labels: {{- include "northgate.labels" . | nindent 4 }}
  annotations:
    checksum/settings: {{ include (print $.Template.BasePath "/configmap.yaml") . | sha256sum }}
    {{- with .Values.podAnnotations }}{{ toYaml . | nindent 4 }}{{ end }}
spec:
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 4 }}
  {{- end }}
  # Nothing in the pod talks to Kubernetes.
  automountServiceAccountToken: false
  # Variables like NORTHGATE_PORT of a service are no settings.
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile: {type: RuntimeDefault}
  {{- if include "northgate.isShared" . }}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels: {{- include "northgate.selector" . | nindent 10 }}
  initContainers:
    # Nodes of the version before go on meanwhile.
    - name: migrate
      {{- include "northgate.container" . | nindent 6 }}
      args: [migrate]
  {{- end }}
  containers:
    - name: northgate
      {{- include "northgate.container" . | nindent 6 }}
      args: [serve]
      ports:
        - {name: public, containerPort: 8743}
        - {name: private, containerPort: 8744}
      # A start reads a million applications in seconds, and a database may come later.
      startupProbe:
        httpGet: {path: /health/live, port: private, scheme: HTTPS}
        periodSeconds: 2
        failureThreshold: 150
      livenessProbe:
        httpGet: {path: /health/live, port: private, scheme: HTTPS}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet: {path: /health/ready, port: private, scheme: HTTPS}
        periodSeconds: 2
        timeoutSeconds: 2
        failureThreshold: 1
      resources: {{- toYaml .Values.resources | nindent 8 }}
  volumes:
    - name: settings
      configMap: {name: {{ include "northgate.name" . }}}
    - name: tls
      secret: {secretName: {{ .Values.tls.secret }}, defaultMode: 0440}
    {{- if include "northgate.isShared" . }}
    - name: data
      emptyDir: {}
    - name: database
      secret: {secretName: {{ .Values.database.secret }}, defaultMode: 0440}
    - name: keyring-key
      secret:
        secretName: {{ required "keyringKey.secret: nodes that share a database need the key that seals its keyring" .Values.keyringKey.secret }}
        defaultMode: 0440
    {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{/* What all containers have in common. */}}
{{- define "northgate.container" -}}
image: {{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
env:
  - {name: NORTHGATE_CONFIG, value: /etc/northgate/northgate.toml}
  # Below the volume, whose own mode is Kubernetes'.
  - {name: NORTHGATE_DATA_DIR, value: /var/lib/northgate/data}
  - {name: NORTHGATE_LISTEN, value: "[::]:8743"}
  - {name: NORTHGATE_ADMIN_LISTEN, value: "[::]:8744"}
  - {name: NORTHGATE_TLS_CERTIFICATES, value: /run/secrets/northgate/tls/tls.crt}
  - {name: NORTHGATE_TLS_KEYS, value: /run/secrets/northgate/tls/tls.key}
  - name: NORTHGATE_ADMIN_HOSTS
    value: {{ include "northgate.name" . }}-private,{{ include "northgate.name" . }}-private.{{ .Release.Namespace }}.svc
  {{- if include "northgate.isShared" . }}
  - {name: NORTHGATE_DATABASE_URL_FILE, value: /run/secrets/northgate/database/{{ .Values.database.key }}}
  - {name: NORTHGATE_KEYRING_KEY, value: /run/secrets/northgate/keyring-key/{{ .Values.keyringKey.key }}}
  {{- end }}
  {{- if .Values.adminToken.secret }}
  - name: NORTHGATE_ADMIN_TOKEN
    valueFrom:
      secretKeyRef: {name: {{ .Values.adminToken.secret }}, key: {{ .Values.adminToken.key }}}
  {{- else if include "northgate.isShared" . }}
  {{- fail "adminToken.secret: nodes that share a database need the same token" }}
  {{- end }}
volumeMounts:
  - {name: settings, mountPath: /etc/northgate, readOnly: true}
  - {name: tls, mountPath: /run/secrets/northgate/tls, readOnly: true}
  - {name: data, mountPath: /var/lib/northgate}
  {{- if include "northgate.isShared" . }}
  - {name: database, mountPath: /run/secrets/northgate/database, readOnly: true}
  - {name: keyring-key, mountPath: /run/secrets/northgate/keyring-key, readOnly: true}
  {{- end }}
{{- end }}
