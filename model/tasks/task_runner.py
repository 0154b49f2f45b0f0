"""TaskRunner: one method for every task of Unified-IO 2, batched, seeded, with typed answers."""

from embodio.model.tasks.verbs.pictures import PictureVerbs
from embodio.model.tasks.verbs.places import PlaceVerbs
from embodio.model.tasks.verbs.sounds import SoundVerbs
from embodio.model.tasks.verbs.words import WordVerbs


class TaskRunner(WordVerbs, PlaceVerbs, PictureVerbs, SoundVerbs):
    """Runs the tasks of a network.

    runner = TaskRunner(load("allenai/uio2-large", tokenizers=True), Vocabulary.from_file("tokenizer.model"))
    runner.caption_images([photo])[0].text
    runner.localise([photo], ["cup"])[0].boxes  # float32 [N, 4] in pixels of the photo
    runner.segment([photo], ["cup"])[0].mask  # bool [H, W]
    runner.make_sounds(["rain on a roof"], seconds=10, seeds=7)[0].waveform

    | family | tasks |
    |---|---|
    | words | `caption_images`, `caption_videos`, `caption_sounds`, `tag_videos`, `tag_sounds`, `answer_questions` |
    | robots | `describe_tasks`, `goals`, `next_frames` |
    | choice | `classify_images`, `classify_boxes`, `choose` |
    | places | `refer`, `localise`, `detect`, `keypoints`, `keypoints_in_boxes`, `cuboids`, `camera_poses` |
    | every pixel | `segment`, `depth`, `normals` |
    | images | `draw`, `edit`, `inpaint`, `view` |
    | sound | `make_sounds` |
    | any family | `run`, with annotations of the family |
    | anything | `answer`, with `prompt_of` |

    Every method takes lists, one entry for each example, and returns a list. An example's answer depends only on its
    inputs and seed. Images may have any size; answers are in pixels of the given image.
    """
