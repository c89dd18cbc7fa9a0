package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

type testConfig struct {
	Data    string `yaml:"data"`
	Gateway struct {
		Listen  string        `yaml:"listen"`
		Timeout time.Duration `yaml:"idle_timeout"`
		Max     int           `yaml:"max_connections"`
		Strict  bool          `yaml:"strict"`
	} `yaml:"gateway"`
	Brokers []string          `yaml:"brokers"`
	Extra   map[string]string `yaml:"extra"`
	Hidden  func()            `yaml:"-"`
}

func TestFileThenEnvironment(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.yaml")
	os.WriteFile(path, []byte("data: /d\ngateway:\n  listen: :1\n  idle_timeout: 5m\nextra: {a: b}\n"), 0o600)
	c := testConfig{Brokers: []string{"default:1"}}
	c.Gateway.Max = 7
	err := Load(&c, path, []string{"LUSHAO_GATEWAY_LISTEN=:2", "LUSHAO_GATEWAY_IDLE_TIMEOUT=90s", "LUSHAO_GATEWAY_STRICT=true",
		"LUSHAO_BROKERS=a:1, b:2", "LUSHAO_ENGINE=/x", "PATH=/bin"}, "LUSHAO_ENGINE")
	if err != nil {
		t.Fatal(err)
	}
	want := testConfig{Data: "/d", Brokers: []string{"a:1", "b:2"}, Extra: map[string]string{"a": "b"}}
	want.Gateway.Listen, want.Gateway.Timeout, want.Gateway.Max, want.Gateway.Strict = ":2", 90*time.Second, 7, true
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct{ file, env, want string }{
		{file: "data: a\ngatway:\n  listen: :1\n", want: "c.yaml: unmarshal errors:\n  line 2: field gatway not found"},
		{file: "gateway:\n  max_connections: many\n", want: "line 2: cannot unmarshal !!str `many` into int"},
		{file: "gateway:\n  idle_timeout: 5 minutes\n", want: "line 2: cannot unmarshal !!str `5 minutes` into time.Duration"},
		{file: "data: [\n", want: "c.yaml: line"},
		{file: "data: a\n---\ndata: b\n", want: "more than one document"},
		{env: "LUSHAO_GATEWAY_LISTN=:1", want: "LUSHAO_GATEWAY_LISTN: there is no such setting; is LUSHAO_GATEWAY_LISTEN meant?"},
		{env: "LUSHAO_EXTRA=a", want: "LUSHAO_EXTRA: there is no such setting"},
		{env: "LUSHAO_GATEWAY_MAX_CONNECTIONS=x", want: "LUSHAO_GATEWAY_MAX_CONNECTIONS=x: want a int"},
		{env: "LUSHAO_GATEWAY_IDLE_TIMEOUT=5", want: "LUSHAO_GATEWAY_IDLE_TIMEOUT=5: time: missing unit"},
	} {
		err := Parse(&testConfig{}, "c.yaml", []byte(c.file))
		if err == nil {
			err = Environment(&testConfig{}, []string{c.env})
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q %q: error %v, want %q in it", c.file, c.env, err, c.want)
		}
	}
	if err := Load(&testConfig{}, "/no/such/file", nil); err == nil || !strings.Contains(err.Error(), "/no/such/file") {
		t.Errorf("a missing file: %v", err)
	}
	if err := Parse(&testConfig{}, "empty", []byte("# nothing\n")); err != nil {
		t.Errorf("a file of comments: %v", err)
	}
}
