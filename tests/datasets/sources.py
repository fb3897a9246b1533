"""Miniature downloads in the exact layouts of the originals, with the oddities that real ones have."""

from pathlib import Path

import h5py
import nibabel
import numpy as np
from PIL import Image

SIZE = (20, 18, 10)  # voxels (x, y, z)
PIXELS = (40, 52)  # of pictures (H, W)
OBLIQUE = np.array([[-1.5, 0.1, 0, 30], [0.1, 1.5, 0, -20], [0, 0, 3, 7], [0, 0, 0, 1]])


def affine() -> np.ndarray:
    """Voxels of 1.5 x 1.5 x 3 mm, turned a little, right to left."""
    turned = OBLIQUE.copy()
    turned[:3, :3] = np.linalg.qr(OBLIQUE[:3, :3])[0] * np.array([1.5, 1.5, 3])
    return turned


def write_junk(folder: Path, names: tuple[str, ...]) -> None:
    """What archive tools and file managers leave behind."""
    for name in (*(f"._{name}" for name in names), ".DS_Store", "Thumbs.db"):
        (folder / name).write_bytes(b"junk")
    (folder / "__MACOSX").mkdir()
    (folder / "__MACOSX" / names[0]).write_bytes(b"junk")


def nifti(voxels: np.ndarray, sform: np.ndarray | None = None, qform: np.ndarray | None = None) -> nibabel.Nifti1Image:
    image = nibabel.Nifti1Image(voxels, affine() if sform is None else sform)
    image.set_qform(affine() if qform is None else qform, code=1)
    image.set_sform(affine() if sform is None else sform, code=1)
    return image


def organs(rng: np.random.Generator, classes: int) -> np.ndarray:
    """Labels 0 to classes - 1, each of them somewhere."""
    labels = np.zeros(SIZE, dtype=np.uint8)
    labels[4:16, 4:14, 2:8] = rng.integers(0, classes, size=(12, 10, 6))
    labels[4 : 4 + classes, 4, 2] = np.arange(classes)
    return labels


def scan(rng: np.random.Generator, labels: np.ndarray) -> np.ndarray:
    """CT in Hounsfield units (16 bit) that shows the labels."""
    return (rng.normal(0, 20, size=SIZE) + 40.0 * labels - 100).astype(np.int16)


def write_btcv(parent: Path, test: str = "Testing") -> Path:
    """RawData with all 30 labelled scans and some unlabelled ones."""
    root = parent / "RawData"
    for folder in ("Training/img", "Training/label", f"{test}/img"):
        (root / folder).mkdir(parents=True)
    images, labels = root / "Training" / "img", root / "Training" / "label"
    for number in (*range(1, 11), *range(21, 41)):
        rng = np.random.default_rng(number)
        truth = organs(rng, 14)
        nifti(scan(rng, truth)).to_filename(images / f"img{number:04d}.nii.gz")
        nifti(truth).to_filename(labels / f"label{number:04d}.nii.gz")
    for number in range(61, 64):
        rng = np.random.default_rng(number)
        nifti(scan(rng, organs(rng, 14))).to_filename(root / test / "img" / f"img{number:04d}.nii.gz")
    add_oddities(images, labels)
    write_junk(images, ("img0001.nii.gz",))
    write_junk(labels, ("label0001.nii.gz",))
    return root


def add_oddities(images: Path, labels: Path) -> None:
    """Wrong case, no compression, float labels, headers that contradict themselves or each other, a fourth axis."""
    rng = np.random.default_rng(0)
    truth = organs(rng, 14)
    voxels = scan(rng, truth)
    moved, nudged = affine(), affine()
    moved[:3, 3] += 40
    nudged[:3, 3] += 0.2
    for number in (3, 4, 6):
        nifti(voxels).to_filename(images / f"img{number:04d}.nii.gz")
    (images / "img0002.nii.gz").rename(images / "IMG0002.NII.GZ")
    (labels / "label0003.nii.gz").unlink()
    nifti(truth).to_filename(labels / "label0003.nii")
    nifti(truth.astype(np.float64)).to_filename(labels / "label0004.nii.gz")
    nifti(voxels, qform=moved).to_filename(images / "img0005.nii.gz")
    nifti(truth).to_filename(labels / "label0005.nii.gz")
    nifti(truth, sform=nudged, qform=nudged).to_filename(labels / "label0006.nii.gz")
    nifti(voxels[..., None]).to_filename(images / "img0007.nii.gz")
    nifti(truth).to_filename(labels / "label0007.nii.gz")


def write_slices(parent: Path, label_map: dict[int, int]) -> Path:
    """TransUNet's train_npz, test_vol_h5 and lists, whose labels follow the map BTCV -> here."""
    root = parent / "project_TransUNet" / "data" / "Synapse"
    for folder in ("train_npz", "test_vol_h5", "lists_Synapse"):
        (root / folder).mkdir(parents=True)
    table = np.array([label_map.get(number, 0) for number in range(14)], dtype=np.uint8)
    test = (1, 2, 3, 4, 8, 22, 25, 29, 32, 35, 36, 38)
    for number in (*range(1, 11), *range(21, 41)):
        image, label = scaled_case(number, table)
        if number in test:
            with h5py.File(root / "test_vol_h5" / f"case{number:04d}.npy.h5", "w") as file:
                file["image"], file["label"] = image, label.astype(np.float32)
            continue
        for position in range(len(image)):
            path = root / "train_npz" / f"case{number:04d}_slice{position:03d}.npz"
            np.savez(path, image=image[position], label=label[position].astype(np.float32))
    write_junk(root / "train_npz", ("case0005_slice000.npz",))
    return root


def scaled_case(number: int, table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Image in [0, 1] and labels (D, H, W); the right kidney is larger than the gallbladder."""
    rng = np.random.default_rng(number)
    truth = organs(rng, 14)
    truth[4:10, 4:9, 5] = 2
    image = np.clip(scan(rng, truth).astype(np.float32) + 125, 0, 400) / 400
    return image.T, table[truth].T


def write_acdc(parent: Path, ending: str = ".nii.gz", patients: int = 100, tests: int = 3) -> Path:
    """database with training and testing patients, whose two frames have other numbers in each."""
    root = parent / "database"
    for part, numbers in (("training", range(1, patients + 1)), ("testing", range(101, 101 + tests))):
        for number in numbers:
            write_patient(root / part / f"patient{number:03d}", ending, with_label=number != 102)
    (root / "MANDATORY_CITATION.md").write_text("cite")
    return root


def write_patient(folder: Path, ending: str, with_label: bool) -> None:
    """ED and ES with labels, a frame that Info.cfg does not name, and the whole film."""
    folder.mkdir(parents=True)
    number = int(folder.name[7:])
    rng, end_systole = np.random.default_rng(number), 7 + number % 9
    (folder / "Info.cfg").write_text(f"ED: 1\nES: {end_systole}\nGroup: DCM\nHeight: 184.0\nNbFrame: 30\n")
    for frame in (1, end_systole, 20):
        truth = organs(rng, 4)
        nifti(scan(rng, truth)).to_filename(folder / f"{folder.name}_frame{frame:02d}{ending}")
        if with_label and frame != 20:
            nifti(truth).to_filename(folder / f"{folder.name}_frame{frame:02d}_gt{ending}")
    film = np.zeros((*SIZE, 2), dtype=np.int16)
    nifti(film).to_filename(folder / f"{folder.name}_4d{ending}")


def picture(rng: np.random.Generator, mask: np.ndarray) -> np.ndarray:
    """RGB (H, W, 3) that shows the mask."""
    return np.clip(rng.normal(150, 20, size=(*mask.shape, 3)) - 60 * (mask > 0)[..., None], 0, 255).astype(np.uint8)


def instances(rng: np.random.Generator) -> np.ndarray:
    """Three rectangles with the numbers 1 to 3."""
    mask = np.zeros(PIXELS, dtype=np.uint8)
    for number in range(1, 4):
        top, left = rng.integers(0, 25), rng.integers(0, 40)
        mask[top : top + 12, left : left + 9] = number
    return mask


def write_glas_flat(parent: Path) -> Path:
    """The official layout: bmp pictures, masks with the glands' numbers, Grade.csv."""
    root = parent / "Warwick QU Dataset (Released 2016_07_08)"
    root.mkdir(parents=True)
    lines = ["name, patient ID, grade (GlaS), grade (Sirinukunwattana et al. 2015)"]
    for part, count in (("train", 85), ("testA", 60), ("testB", 20)):
        for number in range(1, count + 1):
            rng = np.random.default_rng([count, number])
            mask = instances(rng)
            Image.fromarray(picture(rng, mask)).save(root / f"{part}_{number}.bmp")
            Image.fromarray(mask).save(root / f"{part}_{number}_anno.bmp")
            lines.append(f"{part}_{number}, {number % 15 + (part != 'train') * 20}, benign, healthy")
    (root / "Grade.csv").write_text("\n".join(lines))
    write_junk(root, ("train_1.bmp",))
    return root


def write_glas_folders(parent: Path) -> Path:
    """Train_Folder and Test_Folder with img and labelcol, whose masks are colours or carry an alpha channel."""
    for part, count in (("Train_Folder", 85), ("Test_Folder", 80)):
        for folder in ("img", "labelcol"):
            (parent / part / folder).mkdir(parents=True)
        for number in range(1, count + 1):
            rng = np.random.default_rng([count, number])
            mask = instances(rng)
            Image.fromarray(picture(rng, mask)).save(parent / part / "img" / f"{number}.png")
            white = Image.fromarray((mask > 0).astype(np.uint8) * 255)
            coloured = white.convert(("L", "RGB", "RGBA")[number % 3])
            coloured.save(parent / part / "labelcol" / f"{number}.png")
    return parent


def outlines(*shapes: list[tuple[float, float]]) -> str:
    """Aperio's XML with one region per shape of (x, y)."""
    regions = ""
    for number, shape in enumerate(shapes, 1):
        vertices = "".join(f'<Vertex X="{x}" Y="{y}" Z="0"/>' for x, y in shape)
        regions += f'<Region Id="{number}"><Vertices>{vertices}</Vertices></Region>'
    return f'<Annotations><Annotation Id="1"><Regions>{regions}</Regions></Annotation></Annotations>'


SQUARE = [(5.0, 4.0), (15.0, 4.0), (15.0, 12.0), (5.0, 12.0)]
LEAVING = [(45.0, 30.0), (60.5, 30.0), (60.5, 50.0), (45.0, 50.0)]
CROSSING = [(20.0, 5.0), (30.0, 15.0), (30.0, 5.0), (20.0, 15.0)]
LINE = [(1.0, 1.0), (9.0, 9.0)]


def nuclei() -> np.ndarray:
    """1 within SQUARE, LEAVING and CROSSING, all of which have level or diagonal sides."""
    rows, columns = np.indices(PIXELS)
    bow = (np.abs(rows - 10) <= np.abs(columns - 25)) & (np.abs(columns - 25) <= 5)
    square = (rows >= 4) & (rows <= 12) & (columns >= 5) & (columns <= 15)
    return (bow | square | ((rows >= 30) & (columns >= 45))).astype(np.uint8)


def write_monuseg(parent: Path) -> Path:
    """Both archives, unpacked side by side."""
    training, test = parent / "MoNuSeg 2018 Training Data", parent / "MoNuSegTestData"
    images, annotations = training / "Tissue Images", training / "Annotations"
    for folder in (images, annotations, test):
        folder.mkdir(parents=True)
    for number in range(44):
        rng = np.random.default_rng(number)
        name = f"TCGA-{number // 2:02d}-{number:04d}-01Z-00-DX1"
        pixels = Image.fromarray(picture(rng, nuclei()))
        pixels.save((images if number < 30 else test) / f"{name}.tif", compression="tiff_lzw")
        text = outlines(SQUARE, LEAVING, CROSSING, LINE)
        ((annotations if number < 30 else test) / f"{name}.xml").write_text(text)
    write_junk(images, ("TCGA-00-0000-01Z-00-DX1.tif",))
    write_junk(parent, ("MoNuSegTestData",))
    return parent


ISIC_FOLDERS = {
    "2016": (
        "ISBI2016_ISIC_Part1_Training_Data",
        "ISBI2016_ISIC_Part1_Training_GroundTruth",
        "ISBI2016_ISIC_Part1_Test_Data",
        "ISBI2016_ISIC_Part1_Test_GroundTruth",
    ),
    "2018": (
        "ISIC2018_Task1-2_Training_Input",
        "ISIC2018_Task1_Training_GroundTruth",
        "ISIC2018_Task1-2_Test_Input",
        "ISIC2018_Task1_Test_GroundTruth",
    ),
}


def write_isic(parent: Path, year: str, training: int, test: int) -> Path:
    """Pictures as JPEG, masks as PNG (spelt as in that year), attribution texts, and the validation part."""
    folders = [parent / name for name in ISIC_FOLDERS[year]]
    suffix = {"2016": "_Segmentation.png", "2018": "_segmentation.png"}[year]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "ATTRIBUTION.txt").write_text("cite")
    for number in range(training + test):
        pictures, masks = folders[:2] if number < training else folders[2:]
        rng = np.random.default_rng(number)
        mask = instances(rng) > 0
        Image.fromarray(picture(rng, mask)).save(pictures / f"ISIC_{number:07d}.jpg", exif=turned())
        Image.fromarray(mask.astype(np.uint8) * 255).save(masks / f"ISIC_{number:07d}{suffix}")
    return parent


def turned() -> Image.Exif:
    """What a camera held sideways writes: viewers turn such a picture, masks are drawn on the stored one."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif
