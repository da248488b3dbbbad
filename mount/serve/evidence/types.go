package evidence

import (
	"path"
	"strings"
)

const plainText = "text/plain; charset=utf-8"

// types are those of names with an extension. What a browser would run, such as HTML and SVG, is text. All others are
// octets.
var types = map[string]string{
	"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp", "bmp": "image/bmp",
	"pdf": "application/pdf", "rtf": "application/rtf", "zip": "application/zip", "7z": "application/x-7z-compressed", "gz": "application/gzip",
	"doc": "application/msword", "docx": officeOpen + "wordprocessingml.document",
	"xls": "application/vnd.ms-excel", "xlsx": officeOpen + "spreadsheetml.sheet",
	"ppt": "application/vnd.ms-powerpoint", "pptx": officeOpen + "presentationml.presentation",
	"odt": openDocument + "text", "ods": openDocument + "spreadsheet", "odp": openDocument + "presentation",
	"mp3": "audio/mpeg", "wav": "audio/wav", "flac": "audio/flac", "ogg": "audio/ogg",
	"mp4": "video/mp4", "mkv": "video/x-matroska", "avi": "video/x-msvideo", "webm": "video/webm", "mov": "video/quicktime",
	"tif": "image/tiff", "tiff": "image/tiff", "heic": "image/heic", "eml": "message/rfc822",

	"txt": plainText, "log": plainText, "csv": plainText, "md": plainText, "ini": plainText, "inf": plainText, "cfg": plainText, "conf": plainText,
	"json": plainText, "jsonl": plainText, "xml": plainText, "yaml": plainText, "yml": plainText, "html": plainText, "htm": plainText, "xhtml": plainText,
	"svg": plainText, "css": plainText, "js": plainText, "mjs": plainText, "ps1": plainText, "bat": plainText, "cmd": plainText, "vbs": plainText,
	"reg": plainText, "sql": plainText, "py": plainText, "c": plainText, "h": plainText, "cs": plainText, "sh": plainText, "url": plainText,
}

const (
	officeOpen   = "application/vnd.openxmlformats-officedocument."
	openDocument = "application/vnd.oasis.opendocument."
)

// shown are the types that a browser may show by itself: it runs nothing of them. Others are offered to be saved.
var shown = map[string]bool{"image/png": true, "image/jpeg": true, "image/gif": true, "image/webp": true, "image/bmp": true, plainText: true}

// Type gives the type of content by a name alone, and whether a browser may show it; ok is false where the name tells none,
// and it is that of octets.
func Type(name string) (mime string, show, ok bool) {
	mime, ok = types[strings.ToLower(strings.TrimPrefix(path.Ext(name), "."))]
	if !ok {
		return "application/octet-stream", false, false
	}
	return mime, shown[mime], true
}
