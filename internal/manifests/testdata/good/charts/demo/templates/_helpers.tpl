{{- define "demo.labels" -}}
app: {{ .Release.Name }}
{{- end -}}
