package process

import "testing"

func TestInvoker(t *testing.T) {
	type env map[string]string
	for _, c := range []struct {
		env      env
		uid, gid uint32
		ok       bool
	}{
		{env{"SUDO_UID": "4001", "SUDO_GID": "4002"}, 4001, 4002, true},
		{env{"SUDO_UID": "4001"}, 4001, 4001, true},
		{env{"PKEXEC_UID": "4001"}, 4001, 4001, true},
		{env{"SUDO_UID": "4001", "SUDO_GID": "4002", "PKEXEC_UID": "4005", "DOAS_USER": "root"}, 4001, 4002, true},
		{env{"SUDO_UID": "0", "SUDO_GID": "0"}, 0, 0, false}, {env{"DOAS_USER": "root"}, 0, 0, false}, {env{}, 0, 0, false},
		{env{"SUDO_UID": "-1"}, 0, 0, false}, {env{"SUDO_UID": "4294967295"}, 0, 0, false}, {env{"SUDO_UID": "ann"}, 0, 0, false},
		{env{"SUDO_UID": "4001", "SUDO_GID": "x"}, 0, 0, false}, {env{"DOAS_USER": "nobody-of-this-name"}, 0, 0, false},
	} {
		if u, ok := invoker(func(name string) string { return c.env[name] }); ok != c.ok || u.UID != c.uid || u.GID != c.gid {
			t.Errorf("%v: %+v, %v", c.env, u, ok)
		}
	}
}
