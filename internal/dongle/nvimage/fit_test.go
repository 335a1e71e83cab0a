package nvimage_test

import (
	"errors"
	"strings"
	"testing"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/nvimage/nvimagetest"
)

func TestCheckFit(t *testing.T) {
	other := nvimagetest.Stick
	other.Revision = 20211217
	old := nvimagetest.Stick
	old.Product = 0
	tests := []struct {
		name       string
		edit       func(want, have *nvimage.Image)
		from, onto nvimage.Stick
		any        bool
		want       string // part of one problem; "" fits
	}{
		{name: "its own stick"},
		{name: "a reset stick", edit: func(_, have *nvimage.Image) { *have = *nvimagetest.Reset(2) }},
		{name: "a reset image on a formed stick", edit: func(want, _ *nvimage.Image) { *want = *nvimagetest.Reset(2) }},
		{name: "another revision", from: other, want: "the image is of revision 20211217, the stick runs 20250321"},
		{name: "another revision, accepted", from: other, any: true},
		{name: "an image without its firmware", from: nvimage.Stick{Product: 9}, want: "--from-revision"},
		{name: "an image without its firmware, accepted", from: nvimage.Stick{Product: 9}, any: true},
		{name: "a revision named by hand", from: nvimage.Stick{Revision: 20250321}},
		{name: "another product", from: old, any: true, want: "coordinator_backup.json"},
		{name: "an old stick", from: old, onto: old, want: "only Z-Stack 3.x.0 can be loaded"},
		{name: "other table counts", edit: func(_, have *nvimage.Image) { have.Set(nvimage.Entry(nvimage.DeviceList, 51), make([]byte, 16)) },
			want: "DEVICE_LIST has 51 entries in the image, 52 on the stick"},
		{name: "a stick on which a load was cut off", edit: func(_, have *nvimage.Image) {
			have.Delete(nvimage.OSAL(nvimage.HasConfiguredZStack3))
			for i := uint16(100); i < 257; i++ {
				have.Delete(nvimage.Entry(nvimage.AddrMgr, i))
			}
			have.Set(nvimage.Entry(nvimage.TclkTable, 0), make([]byte, 10))
			have.Set(nvimage.OSAL(nvimage.ApsLinkKeyTable), make([]byte, 10))
		}},
		{name: "a smaller stick on which a load was cut off", edit: func(_, have *nvimage.Image) {
			have.Delete(nvimage.OSAL(nvimage.HasConfiguredZStack3))
			have.Delete(nvimage.Entry(nvimage.TclkTable, 199))
		}, want: "TCLK_TABLE has 200 entries in the image, 199 on the stick"},
		{name: "a table cut out", edit: func(want, _ *nvimage.Image) { cutTable(want, nvimage.TclkTable) },
			want: "TCLK_TABLE is not in the image but has 200 entries on the stick"},
		{name: "a short entry", edit: func(want, _ *nvimage.Image) { want.Set(nvimage.Entry(nvimage.TclkTable, 7), []byte{1}) },
			want: "TCLK_TABLE[7] has 1 bytes in the image, the stick has 20"},
		{name: "a short entry for a reset stick", edit: func(want, have *nvimage.Image) {
			*have = *nvimagetest.Reset(2)
			want.Set(nvimage.Entry(nvimage.AddrMgr, 7), []byte{1})
		}, want: "ADDRMGR[7] has 1 bytes in the image, Z-Stack 3.x.0 has 12"},
		{name: "a short NIB", edit: func(want, _ *nvimage.Image) { want.Set(nvimage.OSAL(nvimage.Nib), make([]byte, 110)) },
			want: "NIB (0x0021) has 110 bytes in the image, Z-Stack 3.x.0 has 116"},
		{name: "another link key table", edit: func(want, _ *nvimage.Image) { want.Set(nvimage.OSAL(nvimage.ApsLinkKeyTable), make([]byte, 26)) },
			want: "APS_LINK_KEY_TABLE (0x004C) has 26 bytes in the image, 20 on the stick"},
		{name: "a stick with a damaged item", edit: func(_, have *nvimage.Image) { have.Set(nvimage.OSAL(nvimage.PollRate), make([]byte, 2)) }},
		{name: "an item too long", edit: func(want, _ *nvimage.Image) { want.Set(nvimage.OSAL(nvimage.UserDesc), make([]byte, 300)) },
			want: "USERDESC (0x0081) has 300 bytes, at most 244"},
		{name: "an image that clears itself", edit: func(want, _ *nvimage.Image) { want.Set(nvimage.OSAL(nvimage.StartupOption), []byte{2}) },
			want: "STARTUP_OPTION (0x0003) is 0x02"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			want, have := nvimagetest.Formed(), nvimagetest.Formed()
			if test.edit != nil {
				test.edit(want, have)
			}
			err := nvimage.CheckFit(want, orStick(test.from), have, orStick(test.onto), nvimage.Fit{AnyRevision: test.any})
			checkProblem(t, err, test.want)
		})
	}
}

func TestCheckFitNamesAllProblems(t *testing.T) {
	want, have := nvimagetest.Formed(), nvimagetest.Formed()
	want.Set(nvimage.OSAL(nvimage.Nib), []byte{1})
	cutTable(want, nvimage.TclkTable)
	var misfit *nvimage.MisfitError
	err := nvimage.CheckFit(want, nvimage.Stick{}, have, nvimagetest.Stick, nvimage.Fit{})
	if !errors.As(err, &misfit) || len(misfit.Problems) != 3 {
		t.Errorf("got %v", err)
	}
}

// orStick returns the tests' firmware for a zero Stick and the zero Stick for product 9.
func orStick(s nvimage.Stick) nvimage.Stick {
	switch {
	case s == nvimage.Stick{}:
		return nvimagetest.Stick
	case s.Product == 9:
		return nvimage.Stick{}
	}
	return s
}

func checkProblem(t *testing.T, err error, want string) {
	t.Helper()
	var misfit *nvimage.MisfitError
	switch {
	case want == "" && err != nil:
		t.Errorf("got %v, want it to fit", err)
	case want != "" && (!errors.As(err, &misfit) || !strings.Contains(err.Error(), want)):
		t.Errorf("got %v\nwant %s", err, want)
	}
}

func cutTable(m *nvimage.Image, table uint16) {
	for _, id := range m.IDs() {
		if id.Item == table {
			m.Delete(id)
		}
	}
}
