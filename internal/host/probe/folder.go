package probe

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// A folder is the directory that users are looked for. Processes in a container know
// it by another path, so it is compared by device and inode where it exists.
type folder struct {
	path  string // without links, as this process sees it
	id    identity
	known bool // it exists
}

// An identity is what a file system entry is called whatever its path: bind mounts, as
// those of containers, keep it.
type identity struct{ device, inode uint64 }

func folderAt(path string) folder {
	d := Directory(path)
	return folder{path: realPath(d), id: identity{d.Device, d.Inode}, known: d.Exists}
}

func identityOf(st *unix.Stat_t) identity { return identity{uint64(st.Dev), st.Ino} }

// identify looks path up as the process would: in its own mount namespace, below its
// own root. Links cannot lead out of there.
func (p process) identify(path string) (identity, bool) {
	root, err := unix.Open(p.file("root"), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return identity{}, false
	}
	defer unix.Close(root)
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT}
	at, err := unix.Openat2(root, path, &how)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) { // Linux before 5.6
		return identify(p.file("root") + path)
	}
	if err != nil {
		return identity{}, false
	}
	defer unix.Close(at)
	var st unix.Stat_t
	if unix.Fstat(at, &st) != nil {
		return identity{}, false
	}
	return identityOf(&st), true
}

func identify(path string) (identity, bool) {
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil {
		return identity{}, false
	}
	return identityOf(&st), true
}

// means says that path, as the process understands it, is the folder.
func (p process) means(path string, f folder) bool {
	if !filepath.IsAbs(path) {
		return p.besideIs(path, f)
	}
	if id, ok := p.identify(path); ok && f.known {
		return id == f.id
	}
	return filepath.Clean(path) == f.path || realPath(Directory(path)) == f.path
}

// besideIs says that name, below the working directory, is the folder.
func (p process) besideIs(name string, f folder) bool {
	cwd, err := p.dir()
	if err != nil {
		return false
	}
	if !f.known {
		return filepath.Join(cwd, name) == f.path
	}
	here, ok := identify(p.file("cwd/" + name))
	if ok && here == f.id {
		return true
	}
	there, ok := p.identify(filepath.Join(p.inside(cwd), name)) // the link of a container
	return ok && there == f.id
}

// inside turns a path that a link in /proc shows into the one that the process knows:
// the links of a process with a root of its own begin with that root.
func (p process) inside(path string) string {
	root, err := os.Readlink(p.file("root"))
	if err != nil || root == "/" {
		return path
	}
	return strings.TrimPrefix(path, root)
}

// isForeign says that the process sees another file system than this one does: that of
// a container.
func (p process) isForeign() bool {
	own, err1 := os.Readlink(procDir + "/self/ns/mnt")
	its, err2 := os.Readlink(p.file("ns/mnt"))
	root, err3 := os.Readlink(p.file("root"))
	return err1 == nil && err2 == nil && own != its || err3 == nil && root != "/"
}

// holds says that an open file of the process, which it knows as target, lies below
// the folder.
func (p process) holds(fd, target string, f folder, foreign bool) bool {
	if !foreign {
		return strings.HasPrefix(target, f.path+"/")
	}
	var st unix.Stat_t
	if !f.known || unix.Stat(p.file("fd/"+fd), &st) != nil || uint64(st.Dev) != f.id.device || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return false
	}
	for dir := filepath.Dir(p.inside(target)); len(dir) > 1; dir = filepath.Dir(dir) {
		if id, ok := p.identify(dir); ok && id == f.id {
			return true
		}
	}
	return false
}
