package main

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"testing"
)

// What is committed is what this program draws. Processors round the last bit
// differently, so a channel may be off by two.
func TestCommittedPicturesAreTheDrawnOnes(t *testing.T) {
	for name, want := range pictures() {
		b, err := os.ReadFile(filepath.Join("..", "..", "addon", name))
		if err != nil {
			t.Fatal(err)
		}
		got, err := png.Decode(bytes.NewReader(b))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got.Bounds() != want.Bounds() {
			t.Errorf("%s is %v, drawn is %v", name, got.Bounds(), want.Bounds())
			continue
		}
		if n := different(got, want); n > 0 {
			t.Errorf("%s: %d pixels differ; run: go run ./scripts/artwork", name, n)
		}
	}
}

func TestPicturesAreDrawnTheSameTwice(t *testing.T) {
	first, second := pictures(), pictures()
	for name := range first {
		if n := different(first[name], second[name]); n > 0 {
			t.Errorf("%s: %d pixels differ", name, n)
		}
	}
}

func TestEdgesAreSoft(t *testing.T) {
	for name, picture := range pictures() {
		soft, clear := 0, 0
		b := picture.Bounds()
		for y := b.Min.Y; y < b.Max.Y; y++ {
			for x := b.Min.X; x < b.Max.X; x++ {
				switch a := at(picture, x, y).A; {
				case a == 0:
					clear++
				case a < 255:
					soft++
				}
			}
		}
		if soft == 0 || clear == 0 {
			t.Errorf("%s: %d soft pixels, %d clear ones", name, soft, clear)
		}
	}
}

func different(a, b image.Image) int {
	n := 0
	for y := a.Bounds().Min.Y; y < a.Bounds().Max.Y; y++ {
		for x := a.Bounds().Min.X; x < a.Bounds().Max.X; x++ {
			p, q := at(a, x, y), at(b, x, y)
			if off(p.R, q.R) || off(p.G, q.G) || off(p.B, q.B) || off(p.A, q.A) {
				n++
			}
		}
	}
	return n
}

func at(i image.Image, x, y int) color.NRGBA {
	return color.NRGBAModel.Convert(i.At(x, y)).(color.NRGBA)
}

func off(a, b uint8) bool { return max(a, b)-min(a, b) > 2 }
