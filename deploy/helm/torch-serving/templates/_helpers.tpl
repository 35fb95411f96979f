{{- define "torch-serving.name" -}}
{{- if contains "torch-serving" .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}{{ printf "%s-torch-serving" .Release.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "torch-serving.selector" -}}
app.kubernetes.io/name: torch-serving
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "torch-serving.labels" -}}
{{ include "torch-serving.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{- define "torch-serving.nodesHost" -}}
{{ include "torch-serving.name" . }}-nodes.{{ .Release.Namespace }}.svc.{{ .Values.clusterDomain }}
{{- end }}

{{- define "torch-serving.haproxy" -}}
{{- if .Values.balancer.config }}{{ .Values.balancer.config }}
{{- else }}{{ .Files.Get "files/haproxy.cfg" | replace "nodes:8888" (printf "%s:8888" (include "torch-serving.nodesHost" .)) }}
{{- end }}
{{- end }}

{{- define "torch-serving.place" -}}
{{- with .nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "torch-serving.apart" -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "torch-serving.selector" . | nindent 8 }}
{{- end }}

{{- define "torch-serving.confined" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}
